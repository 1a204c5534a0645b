import { describe, expect, it } from "vitest";
import { createIdentity } from "../identity.ts";
import { generationOf, type Routes, renderConfig, type StoreServerConfig, serverName } from "./config.ts";

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
  it("writes every acknowledged message to disk and listens on the configured address", () => {
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

  it("grows with the members, and names each of them once for each role", () => {
    const among = (size: number) => {
      const users = Array.from({ length: size }, (_, at) => ({
        machine: `m${at + 1}`,
        publicKey: `U${String(at)
          .replaceAll(/\d/g, (digit) => "ABCDEFGHIJ"[Number(digit)] ?? "")
          .padStart(55, "Z")}`,
        role: at < 3 ? ("store" as const) : ("machine" as const),
      }));
      return renderConfig({ ...config, users });
    };
    const [fifty, all] = [among(50), among(200)];
    expect(all.length / fifty.length).toBeLessThan(4);
    expect(all.match(/"_INBOX_m77\.\*\.r"/g)).toHaveLength(2);
    expect(all.match(/allow: \$publish_of_machine/g)).toHaveLength(197);
    expect(all.match(/allow: \$publish_of_store/g)).toHaveLength(3);
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

describe("a set of three", () => {
  const routes: Routes = {
    id: "r1",
    secret: "s3cret",
    servers: [1, 2, 3].map((n) => ({ machine: `m${n}`, host: `10.101.0.${n}`, port: 6222 })),
  };
  const passwords = (text: string) => new Set(text.match(/[0-9a-f]{64}/g));

  it("names the founding, and connects to the others with a password that is not the secret", () => {
    const text = renderConfig(config, { access: "serving", routes });
    expect(text).toContain('name: "prod-cluster-3-r1"\n  listen: "10.101.0.1:6222"');
    expect(text.match(/nats:\/\/route:[0-9a-f]+@10\.101\.0\.[23]:6222/g)).toHaveLength(2);
    expect(text).not.toContain("s3cret");
  });

  it("does not let fenced servers and others that are not connect", () => {
    const [open, fenced, other] = [undefined, "r2", "r3"].map((fence) =>
      passwords(renderConfig(config, { access: fence === undefined ? "serving" : "fenced", routes, fence })),
    );
    expect(new Set([...(open ?? []), ...(fenced ?? []), ...(other ?? [])]).size).toBe(3);
  });

  it.each([
    ["two machines", routes.servers.slice(0, 2)],
    ["four machines", [...routes.servers, { machine: "m4", host: "10.101.0.4", port: 6222 }]],
    ["others only", routes.servers.map((server) => ({ ...server, machine: `x${server.machine}` }))],
    ["a machine twice", [...routes.servers.slice(0, 2), ...routes.servers.slice(0, 1)]],
    ["a name for an address", routes.servers.map((server) => ({ ...server, host: "localhost" }))],
  ])("refuses %s", (_, servers) => {
    expect(() => renderConfig(config, { access: "serving", routes: { ...routes, servers } })).toThrow(
      expect.objectContaining({ code: "store_config_invalid" }),
    );
  });
});

it("reads the generation back from a server's name, also with dashes in names", () => {
  expect(generationOf("prod-cluster", serverName({ ...config, machine: "a-1-b" }))).toBe(3);
  expect(generationOf("prod", serverName(config))).toBeUndefined();
  expect(generationOf("prod-cluster", "NDZX")).toBeUndefined();
});
