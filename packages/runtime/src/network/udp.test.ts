import { expect, test } from "vitest";
import { SLOTS, slotsOf } from "./slots.ts";
import { udpRuleset } from "./udp.ts";

const network = { bridge: "ployz0", gateway: "10.101.3.1", clusterCidr: "10.101.0.0/16" };
const keys = (count: number) => Array.from({ length: count }, (_, at) => ({ key: `10.101.1.${at + 2}:53` }));
const countOf = (slots: readonly number[], server: number) => slots.filter((one) => one === server).length;

test.each([1, 2, 3, 7, 60])("%i servers have equal parts of all slots", (count) => {
  const slots = slotsOf(keys(count));
  expect(slots).toHaveLength(SLOTS);
  const counts = keys(count).map((_, server) => countOf(slots, server));
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
});

test("parts are by weight, and the order of the servers means nothing", () => {
  const [first, second] = [
    { key: "a", weight: 9 },
    { key: "b", weight: 1 },
  ] as const;
  const slots = slotsOf([first, second]);
  expect([countOf(slots, 0), countOf(slots, 1)]).toEqual([230, 26]);
  expect(slotsOf([second, first]).map((server) => 1 - server)).toEqual(slots);
});

test("a server that comes or goes moves little more than its own part", () => {
  const [four, five] = [slotsOf(keys(4)), slotsOf(keys(5))];
  const moved = four.filter((server, slot) => server !== five[slot]).length;
  expect(moved).toBeGreaterThanOrEqual(51);
  expect(moved).toBeLessThan(80);
});

test("a route leads its flows to the zone of a server, and the zone to the server", () => {
  const text = udpRuleset(network, {
    addresses: ["0.0.0.0"],
    routes: [
      { listenPort: 9000, servers: [{ address: "10.101.2.5", port: 53 }] },
      { listenPort: 53, servers: [{ address: "10.101.1.4", port: 5300 }] },
      { listenPort: 9001, servers: [] },
    ],
  });
  expect(text.startsWith("table ip ployz_ployz0_udp\ndelete table ip ployz_ployz0_udp\ntable ip ")).toBe(
    true,
  );
  expect(text).toContain("dnat ip to ct original zone map { 517 : 10.101.2.5 . 53 }");
  expect(text).toContain("fib daddr type local udp dport vmap { 53 : goto slots53, 9000 : goto slots9000 }");
  expect(text).toContain("proto-dst 9000 ip daddr 10.101.0.0/16 snat to 10.101.3.1");
  // Between two instances of one machine, over a bridge whose frames iptables sees.
  const marks = text.split("\n").filter((line) => line.includes("meta mark set meta mark | 0x10000000"));
  expect(marks).toHaveLength(4);
  for (const line of marks) expect(line.trim()).toMatch(/^iifname "ployz0" /);
  expect(text).not.toContain("9001");
});

test("the name server keeps port 53 of the machine's overlay address", () => {
  const route = (listenPort: number) => ({ listenPort, servers: [{ address: "10.101.1.4", port: 53 }] });
  const rule = "ip daddr 10.101.3.1 udp dport 53 return";
  expect(udpRuleset(network, { addresses: ["0.0.0.0"], routes: [route(53)] })).toContain(rule);
  expect(udpRuleset(network, { addresses: ["0.0.0.0"], routes: [route(54)] })).not.toContain(rule);
});

test("routes of one address of the machine are served there only", () => {
  const routes = [{ listenPort: 9000, servers: [{ address: "10.101.1.4", port: 53 }] }];
  const text = udpRuleset(network, { addresses: ["192.0.2.7"], routes });
  expect(text).toContain("ip daddr { 192.0.2.7 } udp dport vmap");
  expect(text).not.toContain("fib daddr");
});

test("without a server, and without an address, there is no table", () => {
  const none = "table ip ployz_ployz0_udp\ndelete table ip ployz_ployz0_udp\n";
  const routes = [{ listenPort: 9000, servers: [{ address: "10.101.1.4", port: 53 }] }];
  expect(udpRuleset(network, { addresses: ["0.0.0.0"], routes: [] })).toBe(none);
  expect(udpRuleset(network, { addresses: [], routes })).toBe(none);
});
