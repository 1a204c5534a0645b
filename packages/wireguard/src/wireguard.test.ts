import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { generateKeyPair } from "./keys.ts";
import { openWireguard } from "./wireguard.ts";

const code = (text: string) => expect.objectContaining({ code: text });
const key = "/nonexistent/private.key";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployz-wg-"));
});
afterEach(() => rm(dir, { recursive: true }));

describe("invalid input is refused before any change", () => {
  it.each(["", "-x", "wg 0", "a/b", "sixteen-letters-", "wg0;id", "../x", "wg\n0"])(
    "the interface name %j",
    (name) => {
      expect(() => openWireguard({ name, dir })).toThrow(code("interface_name_invalid"));
    },
  );

  it.each([
    [{ address: "10.101.1.1/24", listenPort: 51820 }, "cidr_invalid"],
    [{ address: "10.101.1.0/24", listenPort: 51820 }, "interface_options_invalid"],
    [{ address: "10.101.1.1", listenPort: 51820 }, "interface_options_invalid"],
    [{ address: "10.101.1.1/32", listenPort: 0 }, "interface_options_invalid"],
    [{ address: "10.101.1.1/32", listenPort: 51820, mtu: 100 }, "interface_options_invalid"],
  ])("the options %j", async (options, expected) => {
    const wireguard = openWireguard({ name: "wgtest0", dir });
    await expect(wireguard.ensure({ privateKeyFile: key, ...options })).rejects.toEqual(code(expected));
    expect(await readdir(dir)).toEqual([]);
  });

  it("peers of an interface that was never set up", async () => {
    const peer = { publicKey: generateKeyPair().publicKey, allowedIps: ["10.101.2.0/24"] };
    await expect(openWireguard({ name: "wgtest0", dir }).setPeers([peer])).rejects.toEqual(
      code("interface_missing"),
    );
    expect(await readdir(dir)).toEqual([]);
  });
});
