import { expect, test } from "vitest";
import type { NetworkSpec } from "../runtime.ts";
import { checkAddress, checkNetwork, contains, macOf, parseSubnet } from "./addresses.ts";
import { ruleset } from "./ruleset.ts";

const network: NetworkSpec = {
  bridge: "ployz0",
  subnet: "10.101.3.0/24",
  gateway: "10.101.3.1",
  clusterCidr: "10.101.0.0/16",
  mtu: 1420,
};

test("subnets are taken apart", () => {
  expect(parseSubnet("10.101.3.0/24")).toEqual({ prefix: 24, base: "10.101.3.0", hostMask: "0.0.0.255" });
  expect(parseSubnet("10.101.3.77/22")).toEqual({ prefix: 22, base: "10.101.0.0", hostMask: "0.0.3.255" });
  expect(contains("10.101.0.0/16", "10.101.255.255")).toBe(true);
  expect(contains("10.101.0.0/16", "10.102.0.0")).toBe(false);
  expect(macOf("10.101.3.7")).toBe("02:70:0a:65:03:07");
});

test.each<[string, Partial<NetworkSpec>]>([
  ["bridge name that is too long", { bridge: "a".repeat(16) }],
  ["bridge name with rules in it", { bridge: 'a" accept' }],
  ["gateway elsewhere", { gateway: "10.101.4.1" }],
  ["gateway that is not the first host", { gateway: "10.101.3.2" }],
  ["subnet outside of the cluster", { clusterCidr: "10.102.0.0/16" }],
  ["subnet that is none", { subnet: "10.101.3.0" }],
  ["MTU too small", { mtu: 100 }],
])("refuses a %s", (_, fields) => {
  expect(() => checkNetwork({ ...network, ...fields })).toThrow(
    expect.objectContaining({ code: "network_invalid" }),
  );
});

test("an instance gets neither the machine's address nor one of another machine", () => {
  expect(() => checkAddress(network, "10.101.3.9")).not.toThrow();
  for (const address of ["10.101.3.1", "10.101.4.9"]) {
    expect(() => checkAddress(network, address)).toThrow(
      expect.objectContaining({ code: "address_invalid" }),
    );
  }
});

test("the filter is one transaction that replaces its own table only", () => {
  const text = ruleset(network, [4222, 4319]);
  expect(
    text.startsWith("table inet ployz_ployz0\ndelete table inet ployz_ployz0\ntable inet ployz_ployz0 {"),
  ).toBe(true);
  expect(text).toContain('iifname "ployz0" tcp dport { 4222, 4319 } reject with tcp reset');
  expect(text).toContain("ip saddr & 0.0.0.255 != 0.0.0.1 tcp dport { 4222, 4319 }");
  expect(text).toContain("ip saddr 10.101.3.0/24 ip daddr != 10.101.0.0/16");
  expect(ruleset(network, [])).not.toContain("dport");
  expect(text).toContain("ip protocol udp meta mark & 0x10000000 == 0x10000000 accept");
});

test("ports keep their address and MAC, also when the rules are replaced", () => {
  const text = ruleset(network, [4222]);
  const table = text.slice(text.indexOf("table bridge ployz_ployz0_ports {"));
  expect(table).not.toContain("delete table");
  expect(table).toContain("flush table bridge ployz_ployz0_ports");
  expect(table).toContain("arp saddr ip 10.101.3.1 drop");
  expect(table).toContain("iif @held ether type != { ip, arp } drop");
  for (const source of ["ip saddr", "arp saddr ip"]) {
    const learns = text
      .split("\n")
      .filter((line) => line.trimStart().startsWith("add @held") && line.includes(`. ${source} timeout`));
    expect(learns, source).toHaveLength(1);
    expect(table).toContain(`${source} 10.101.3.0/24 jump`);
  }
});
