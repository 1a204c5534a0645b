import { describe, expect, it } from "vitest";
import { createIdentity } from "../identity.ts";
import { renderConfig, type StoreServerConfig } from "./config.ts";

const m1 = createIdentity();
const m2 = createIdentity();
const config: StoreServerConfig = {
  cluster: "prod-cluster",
  machine: "m1",
  generation: 3,
  listen: { host: "10.101.0.1", port: 4222 },
  monitorPort: 8222,
  dir: "/var/lib/ployz/store",
  users: [
    { machine: "m2", publicKey: m2.publicKey, role: "machine" },
    { machine: "m1", publicKey: m1.publicKey, role: "store" },
  ],
};

describe("renderConfig", () => {
  it("writes every acknowledged message to disk and listens where it was told", () => {
    const text = renderConfig(config);
    expect(text).toContain("sync_interval: always");
    expect(text).toContain('host: "10.101.0.1"\nport: 4222\n');
    expect(text).toContain('http: "127.0.0.1:8222"');
    expect(text).toContain('store_dir: "/var/lib/ployz/store/generation-3"');
    expect(text).not.toMatch(/no_auth_user|cluster \{|leafnodes/);
  });

  it("does not depend on the order of the users, and holds no private key", () => {
    expect(renderConfig({ ...config, users: [...config.users].reverse() })).toBe(renderConfig(config));
    expect(renderConfig(config)).not.toContain(m1.seed);
  });

  it.each([
    ["a name instead of an address", { listen: { host: "localhost", port: 4222 } }],
    ["a port out of range", { listen: { host: "127.0.0.1", port: 70_000 } }],
    ["a relative directory", { dir: "store" }],
    ["a directory that ends the quotes", { dir: '/x" include "/etc/passwd' }],
    ["generation 0", { generation: 0 }],
    [
      "a private key among the users",
      { users: [{ machine: "m1", publicKey: m1.seed, role: "store" as const }] },
    ],
    [
      "a machine that is listed twice",
      {
        users: [
          ...config.users,
          { machine: "m1", publicKey: createIdentity().publicKey, role: "machine" as const },
        ],
      },
    ],
  ])("refuses %s", (_, change) => {
    expect(() => renderConfig({ ...config, ...change })).toThrow(
      expect.objectContaining({ code: "store_config_invalid" }),
    );
  });

  it.each(["a.b", "*", ">", "a b", "", "-x\n", "../x"])("refuses %j as a machine's name", (machine) => {
    expect(() =>
      renderConfig({ ...config, users: [{ machine, publicKey: m1.publicKey, role: "machine" }] }),
    ).toThrow(expect.objectContaining({ code: "invalid_name" }));
  });
});
