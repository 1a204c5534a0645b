import { describe, expect, it } from "vitest";
import { checkedInit, checkedJoin } from "./input.ts";

const HUGE = "a".repeat(64 * 1024);
const NASTY = [
  "$(reboot)",
  "a;b",
  "-x",
  "--help",
  "../x",
  "a/b",
  "a\0b",
  "a\nb",
  "",
  HUGE,
  7,
  null,
  {},
  [],
  true,
];

describe("mesh init", () => {
  it("accepts required and optional fields", () => {
    const all = {
      ...{ name: "prod-cluster", machine: "m1", clusterCidr: "10.7.0.0/16", subnetPrefixLength: 24 },
      ...{ runtime: "process", endpoints: ["203.0.113.7:51820", "[2001:db8::7]:51820", "m1.example.test:1"] },
    };
    expect(checkedInit({ name: "a" })).toEqual({ name: "a" });
    expect(checkedInit(all)).toEqual(all);
  });

  it.each(["name", "machine", "clusterCidr", "subnetPrefixLength", "runtime"])(
    "%s: a hostile value is refused, naming the field",
    (field) => {
      for (const value of NASTY) {
        if (field === "subnetPrefixLength" && value === 7) continue; // too small for the network: refused by the plan
        expect(() => checkedInit({ name: "a", [field]: value })).toThrow(new RegExp(`^${field}: `));
      }
    },
  );

  it("endpoints are addresses with a port", () => {
    const bad = [
      ...NASTY,
      "1.1.1.1",
      "1.1.1.1:0",
      "1.1.1.1:65536",
      "a b:1",
      "1.1.1.1:51820\nPrivateKey = x",
      ":1",
    ];
    for (const one of bad)
      expect(() => checkedInit({ name: "a", endpoints: [one] })).toThrow(/^endpoints\[0\]: /);
  });

  it.each([
    "127.0.0.0/8",
    "127.1.0.0/16",
    "224.0.0.0/8",
    "240.0.0.0/8",
    "0.0.0.0/0",
    "169.254.0.0/16",
    "fd00::/64",
    "10.101.0.1/16",
    "10.101.0.0/99",
    "10.101.0.0/30",
    "foo",
  ])("%s is no network for machines", (cidr) => {
    expect(() => checkedInit({ name: "a", clusterCidr: cidr })).toThrow(/^clusterCidr: /);
  });

  it("unknown fields are refused", () => {
    expect(() => checkedInit({ name: "a", clusterCIDR: "10.7.0.0/16" })).toThrow("clusterCIDR");
  });
});

const machine = {
  ...{ id: "m2", index: 2, state: "joining", publicKey: `${"a".repeat(42)}A=`, nkey: `U${"A".repeat(55)}` },
  ...{ endpoints: ["203.0.113.7:51820"], address: "10.101.2.1", subnet: "10.101.2.0/24", store: false },
  ...{ runtime: "process", version: "1.0.0", operation: "01JABCDEFGHJKMNPQRSTVWXYZ0" },
};
const good = {
  v: 1,
  cluster: { name: "c", id: "c-1", clusterCidr: "10.101.0.0/16", subnetPrefixLength: 24, generation: 1 },
  machine,
  machines: [
    { ...machine, id: "m1", index: 1, state: "active", store: true, operation: "founding", region: "eu" },
  ],
  storeServers: ["10.101.1.1:4222"],
};

describe("a join document", () => {
  it("is taken as machine add makes it", () => expect(checkedJoin(good)).toEqual(good));

  it("with a hostile value anywhere is refused, naming the field", () => {
    const words = NASTY.filter((value) => typeof value !== "number" && typeof value !== "boolean");
    for (const bad of words) {
      for (const field of Object.keys(good.cluster))
        expect(() => checkedJoin({ ...good, cluster: { ...good.cluster, [field]: bad } })).toThrow(
          `cluster.${field}`,
        );
      for (const field of [...Object.keys(machine), "region", "az"]) {
        if (field === "version" && typeof bad === "string" && bad.length < 100) continue; // never more than shown
        if (field === "endpoints" && Array.isArray(bad)) continue; // none is known: it is behind a NAT
        expect(() => checkedJoin({ ...good, machine: { ...machine, [field]: bad } })).toThrow(
          `machine.${field}`,
        );
        expect(() => checkedJoin({ ...good, machines: [{ ...machine, [field]: bad }] })).toThrow(
          `machines[0].${field}`,
        );
      }
      expect(() => checkedJoin({ ...good, storeServers: [bad] })).toThrow("storeServers");
      expect(() => checkedJoin({ ...good, storeServers: bad })).toThrow("storeServers");
    }
    expect(() => checkedJoin({ ...good, v: 2 })).toThrow("v: must be 1");
  });
});
