import { expect, test } from "vitest";
import { bridgeFaults } from "./faults.ts";
import { closedChains, closedIptables } from "./firewall.ts";

const network = {
  ...{ bridge: "ployz0", subnet: "10.101.1.0/24", gateway: "10.101.1.1", clusterCidr: "10.101.0.0/16" },
  mtu: 1420,
};
const needed = { network, tunnel: "ployz-wg0", wireguardPort: 51820, workloadPorts: [53, 80] };

test("an open INPUT chain is left alone", () => {
  expect(closedIptables("-P INPUT ACCEPT\n-A INPUT -s 192.0.2.1/32 -j DROP\n", needed)).toEqual([]);
});

test.each([
  ["the policy DROP", "-P INPUT DROP\n-P FORWARD ACCEPT\n-A INPUT -p tcp --dport 22 -j ACCEPT\n"],
  ["a last rule that rejects", "-P INPUT ACCEPT\n-A INPUT -j REJECT --reject-with icmp-port-unreachable\n"],
])("an INPUT chain with %s is named with the rules to add", (_, rules) => {
  expect(closedIptables(rules, needed)).toEqual([
    {
      where: "the INPUT chain of iptables",
      loses: [
        "instances lose DNS",
        "instances lose the gateway",
        "other machines lose the store and transfers",
        "other machines cannot open a tunnel",
      ],
      fix: [
        "iptables -I INPUT -i ployz0 -p udp --dport 53 -j ACCEPT",
        "iptables -I INPUT -i ployz0 -p tcp -m multiport --dports 53,80 -j ACCEPT",
        "iptables -I INPUT -i ployz-wg0 -j ACCEPT",
        "iptables -I INPUT -p udp --dport 51820 -j ACCEPT",
      ].join("; "),
    },
  ]);
});

test("a rule that exists in any chain is not asked for", () => {
  const rules =
    "-P INPUT DROP\n-A ufw-user-input -i ployz0 -j ACCEPT\n-A ufw-user-input -p udp -m udp --dport 51820 -j ACCEPT\n";
  expect(closedIptables(rules, needed)[0]?.fix).toBe("iptables -I INPUT -i ployz-wg0 -j ACCEPT");
});

test("closed chains of nftables are found, Ployz's own and those of iptables left out", () => {
  const chain = (over: object) => ({
    chain: { family: "inet", table: "firewall", name: "in", hook: "input", policy: "drop", ...over },
  });
  const json = JSON.stringify({
    nftables: [
      { metainfo: {} },
      chain({}),
      chain({ policy: "accept" }),
      chain({ table: "ployz_ployz0" }),
      chain({ family: "ip", table: "filter", name: "INPUT" }),
      chain({ hook: "output" }),
    ],
  });
  expect(closedChains(json)).toMatchObject([{ table: "firewall", name: "in", hook: "input" }]);
});

test("a bridge that is missing, down, or has another address, MAC or MTU is named", () => {
  const link = (over: object) => {
    const addresses = [{ local: "10.101.1.1", prefixlen: 24 }];
    const mac = { address: "02:70:0a:65:01:01" };
    return JSON.stringify([{ mtu: 1420, ...mac, flags: ["UP"], addr_info: addresses, ...over }]);
  };
  expect(bridgeFaults(network, link({}))).toEqual([]);
  expect(bridgeFaults(network, "[]")).toEqual(["bridge ployz0 is missing"]);
  expect(
    bridgeFaults(network, link({ flags: [], mtu: 1500, address: "02:70:0a:65:02:01", addr_info: [] })),
  ).toEqual([
    "bridge ployz0 is down",
    "bridge ployz0 does not have the address 10.101.1.1/24",
    "bridge ployz0 has MAC 02:70:0a:65:02:01, not 02:70:0a:65:01:01",
    "bridge ployz0 has MTU 1500, not 1420",
  ]);
});
