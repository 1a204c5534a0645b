import { expect, test } from "vitest";
import { hostPortRuleset, type PublishedPort } from "./host-ports.ts";

const network = { bridge: "ployz0", gateway: "10.101.3.1" };
const tcp: PublishedPort = { protocol: "tcp", port: 9000, to: { address: "10.101.3.5", port: 80 } };
const udp: PublishedPort = {
  ...{ protocol: "udp", port: 53, address: "192.0.2.1" },
  to: { address: "10.101.3.6", port: 5300 },
};

const chainOf = (text: string, name: string): readonly string[] =>
  (text.split(`chain ${name} {\n`)[1]?.split("  }")[0] ?? "").trim().split(/\n\s*/);

test("a port leads to its instance, and a UDP flow has the zone of it", () => {
  const text = hostPortRuleset(network, [tcp, udp]);
  const away = [
    "ip daddr 127.0.0.0/8 return",
    "fib daddr type != local return",
    "ip daddr 10.101.3.1 udp dport 53 return",
  ];
  expect(chainOf(text, "to")).toEqual([
    ...away,
    "ip daddr 192.0.2.1 udp dport 53 dnat to 10.101.3.6:5300",
    "tcp dport 9000 dnat to 10.101.3.5:80",
  ]);
  expect(chainOf(text, "zones")).toEqual([
    ...away,
    `ip daddr 192.0.2.1 udp dport 53 ct original zone set ${3 * 256 + 6}`,
  ]);
  // Not for workloads.
  for (const name of ["arriving", "prerouting"])
    expect(chainOf(text, name).at(-1)).toMatch(/^iifname != "ployz0" jump/);
});

test("without ports there is no table, and their order means nothing", () => {
  expect(hostPortRuleset(network, [])).toBe(
    "table ip ployz_ployz0_host\ndelete table ip ployz_ployz0_host\n",
  );
  expect(hostPortRuleset(network, [udp, tcp])).toBe(hostPortRuleset(network, [tcp, udp]));
});
