import type { Candidates, MachineRecord } from "@ployz/primitives/protocol";
import { describe, expect, it } from "vitest";
import { allows, isolate, type Resident } from "./policy.ts";
import { isIsolated } from "./run.ts";

type Made = Readonly<
  Record<string, { readonly at: readonly string[]; readonly allowFrom?: readonly string[] }>
>;

/** `at`: `machine address` of each instance. */
function resident(namespace: string, services: Made, candidates?: Candidates): Resident {
  return {
    commit: {
      namespace,
      services: Object.fromEntries(
        Object.entries(services).map(([name, { allowFrom }]) => [
          name,
          { spec: { ...(allowFrom && { allowFrom }) } },
        ]),
      ),
      instances: Object.entries(services).flatMap(([service, { at }]) =>
        at.map((place, slot) => {
          const [machine = "", address = ""] = place.split(" ");
          return {
            id: `${namespace}.${service}.${slot}`,
            service,
            slot,
            machine,
            address,
            ports: { http: 80 },
          };
        }),
      ),
      routes:
        namespace === "prod"
          ? [
              { kind: "tcp", listen: 5432, port: "pg", service: "db" },
              { kind: "udp", listen: 53, port: "dns", service: "db" },
            ]
          : [],
    } as unknown as Resident["commit"],
    ...(candidates && { candidates }),
  };
}

const machines = [
  { id: "m1", address: "10.101.1.1", endpoints: ["198.51.100.1:51820", "[2001:db8::1]:51820"] },
  { id: "m2", address: "10.101.2.1", endpoints: ["198.51.100.2:51820"] },
] as unknown as MachineRecord[];

const prod = resident("prod", { web: { at: ["m1 10.101.1.2"] }, db: { at: ["m2 10.101.2.2"] } });
const branch = resident("pr-42", { web: { at: ["m1 10.101.1.3"] }, db: { at: ["m1 10.101.1.4"] } });
const on = (residents: readonly Resident[], self = "m1") =>
  isolate(residents, machines, { self, gatewayPorts: [80] });
const reach = (residents: readonly Resident[], address: string, self = "m1") =>
  on(residents, self)
    .policy.groups.find(({ from }) => from.includes(address))
    ?.to.toSorted();
const names = (residents: readonly Resident[], address: string) => {
  const { views } = on(residents);
  const view = views.of(address);
  return view === undefined
    ? undefined
    : Object.fromEntries(
        views
          .records(view)
          .services.map(({ service, namespace, instances }) => [
            `${service}.${namespace}`,
            instances.map((instance) => instance.address),
          ]),
      );
};

describe("who reaches whom", () => {
  it("a workload reaches its own namespace, wherever it runs, and no other", () => {
    expect(reach([prod, branch], "10.101.1.2")).toEqual(["10.101.1.2", "10.101.2.2"]);
    expect(reach([prod, branch], "10.101.1.3")).toEqual(["10.101.1.3", "10.101.1.4"]);
    expect(names([prod, branch], "10.101.1.3")).toEqual({
      "web.pr-42": ["10.101.1.3"],
      "db.pr-42": ["10.101.1.4"],
    });
  });

  it("is a matter of the sender's machine: those of others are in no group", () => {
    expect(reach([prod, branch], "10.101.2.2")).toBeUndefined();
    expect(reach([prod, branch], "10.101.2.2", "m2")).toEqual(["10.101.1.2", "10.101.2.2"]);
  });

  it("allow_from of a service opens that service, by address and by name", () => {
    const open = resident("prod", {
      web: { at: ["m1 10.101.1.2"] },
      db: { at: ["m2 10.101.2.2"], allowFrom: ["pr-*"] },
    });
    expect(reach([open, branch], "10.101.1.3")).toEqual(["10.101.1.3", "10.101.1.4", "10.101.2.2"]);
    expect(reach([open, branch], "10.101.1.2")).toEqual(["10.101.1.2", "10.101.2.2"]);
    expect(Object.keys(names([open, branch], "10.101.1.3") ?? {})).toEqual([
      "db.prod",
      "web.pr-42",
      "db.pr-42",
    ]);
  });

  it("allow_from with a service opens to that service alone", () => {
    const open = resident("prod", { db: { at: ["m2 10.101.2.2"], allowFrom: ["pr-42:web"] } });
    expect(reach([open, branch], "10.101.1.3")).toContain("10.101.2.2");
    expect(reach([open, branch], "10.101.1.4")).not.toContain("10.101.2.2");
    expect(Object.keys(names([open, branch], "10.101.1.4") ?? {})).not.toContain("db.prod");
  });

  it("closes the public addresses of machines, and opens the gateway's ports", () => {
    expect(on([prod]).policy).toMatchObject({
      machines: ["198.51.100.1", "198.51.100.2"],
      gatewayPorts: [80, 5432],
      udpPorts: [53],
    });
  });

  it("shows a machine, or whoever is no workload, all names", () => {
    expect(on([prod]).views.of("10.101.1.1")).toBeUndefined();
  });

  it.each([
    ["gw", "gw", "web", true],
    ["gw", "gw2", "web", false],
    ["gw:web", "gw", "web", true],
    ["gw:web", "gw", "api", false],
    ["pr-*", "pr-7", "web", true],
    ["pr-*", "prod", "web", false],
    ["*", "any", "thing", true],
    ["*:scraper", "any", "scraper", true],
  ])("%s and a workload of %s/%s: %s", (entry, namespace, service, expected) => {
    expect(allows(entry, namespace, service)).toBe(expected);
  });
});

describe("candidates of an operation", () => {
  const candidate = (service: string, machine: string, address: string, ready: boolean) => ({
    ...{ id: `prod.${service}.new`, service, slot: 0, machine, address, ports: {}, ready },
  });
  const starting = (ready: boolean, leaving: readonly string[] = ["prod.db.0"]): Resident =>
    resident(
      "prod",
      { web: { at: ["m1 10.101.1.2"] }, db: { at: ["m2 10.101.2.2"] } },
      {
        operation: "OP",
        instances: [candidate("db", "m2", "10.101.2.9", ready), candidate("job", "m1", "10.101.1.9", false)],
        leaving,
      },
    );

  it("belong to the namespace from their first packet", () => {
    expect(reach([starting(false), branch], "10.101.1.9")).toContain("10.101.2.9");
    expect(reach([starting(false), branch], "10.101.1.9")).toContain("10.101.2.2");
    expect(reach([starting(false), branch], "10.101.1.3")).not.toContain("10.101.2.9");
  });

  it("find by name the ready candidates instead of the replaced ones; others find the committed ones", () => {
    expect(names([starting(false)], "10.101.1.9")).toMatchObject({ "db.prod": ["10.101.2.2"] });
    expect(names([starting(true)], "10.101.1.9")).toMatchObject({ "db.prod": ["10.101.2.9"] });
    expect(names([starting(true, [])], "10.101.1.9")).toMatchObject({
      "db.prod": ["10.101.2.2", "10.101.2.9"],
    });
    expect(names([starting(true)], "10.101.1.2")).toMatchObject({ "db.prod": ["10.101.2.2"] });
  });

  it("are there before the namespace has a commit", () => {
    const { candidates } = starting(true);
    const first: Resident = {
      commit: { namespace: "prod", services: {}, instances: [], routes: [] },
      ...(candidates && { candidates }),
    };
    expect(names([first], "10.101.1.9")).toEqual({ "db.prod": ["10.101.2.9"] });
  });
});

it("a lost mirror does not open the overlay; the store's record decides once it is read", () => {
  expect(isIsolated(undefined, { isolation: "on" })).toBe(true);
  expect(isIsolated(undefined, {})).toBe(false);
  expect(isIsolated({ isolation: "on" }, {})).toBe(true);
  expect(isIsolated({}, { isolation: "on" })).toBe(false);
});

it("a one-off instance of this machine reaches what its service does, and has its names", () => {
  const guests = [{ namespace: "prod", service: "web", address: "10.101.1.9", machine: "m1" }];
  const residents = [{ ...prod, guests }, branch];
  expect(reach(residents, "10.101.1.9")).toEqual(["10.101.1.2", "10.101.1.9", "10.101.2.2"]);
  expect(names(residents, "10.101.1.9")).toEqual(names(residents, "10.101.1.2"));
  expect(JSON.stringify(names(residents, "10.101.1.2"))).not.toContain("10.101.1.9");
  expect(reach(residents, "10.101.1.3")).not.toContain("10.101.1.9");
});

it("a canary reaches services that are open to its own", () => {
  const gw = resident("gw", { web: { at: ["m1 10.101.1.7"] }, "web-canary": { at: ["m1 10.101.1.8"] } });
  const shared = resident("shared", { db: { at: ["m1 10.101.1.9"], allowFrom: ["gw:web"] } });
  expect(reach([gw, shared], "10.101.1.8")).toEqual(["10.101.1.7", "10.101.1.8"]);
  const { services } = gw.commit;
  const named = { ...services["web-canary"], canary: { of: "web" } };
  const tried = { ...gw, commit: { ...gw.commit, services: { ...services, "web-canary": named } } };
  expect(reach([tried as unknown as Resident, shared], "10.101.1.8")).toEqual([
    "10.101.1.7",
    "10.101.1.8",
    "10.101.1.9",
  ]);
});
