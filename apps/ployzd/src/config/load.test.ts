import { expect, it } from "vitest";
import { parseConfig, withDefaults } from "./load.ts";

it("takes an empty file", () => {
  expect(withDefaults(parseConfig("", "c.toml"), {}, true)).toMatchObject({
    dataDir: "/var/lib/ployz",
    socket: "/run/ployz/ployzd.sock",
    runDir: "/run/ployz",
    gatewayListen: "0.0.0.0:80",
    clusterCidr: "10.101.0.0/16",
  });
});

it.each([
  ["regoin = 'eu'", "unknown field regoin"],
  ["[storage]\nzfsroot = 'tank'", "unknown field storage.zfsroot"],
  ["wireguard_port = 70000", "wireguard_port"],
  ["gateway_listen = ':80'", "gateway_listen"],
  ["= 3", "c.toml"],
])("names what is wrong in %j", (text, named) => {
  expect(() => parseConfig(text, "c.toml")).toThrow(named);
});

it("lets the environment override the file", () => {
  expect(withDefaults({ region: "eu" }, { PLOYZ_REGION: "us" }, true).region).toBe("us");
});
