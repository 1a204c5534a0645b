import fc from "fast-check";
import { expect, test } from "vitest";
import type { MachinePorts } from "./host-ports.ts";
import { type Host, type Needs, place, type SlotDemand } from "./place.ts";

const GIB = 2 ** 30;
const needs: Needs = { kind: "image", constraints: undefined, memoryBytes: 0, cpus: 0 };

const ports = (more: Partial<MachinePorts> = {}): MachinePorts => ({
  listening: { tcp: [], udp: [] },
  kept: undefined,
  addresses: ["192.0.2.7"],
  allowed: { capabilities: [], hostPorts: ["1024-65535"] },
  claims: [],
  ...more,
});

function host(id: string, more: Partial<Host> = {}): Host {
  return {
    id,
    runtime: "docker",
    images: true,
    arch: "amd64",
    region: undefined,
    az: undefined,
    labels: {},
    unreachable: undefined,
    closed: undefined,
    cpus: 4,
    memoryFreeBytes: 8 * GIB,
    promisableBytes: undefined,
    instances: 0,
    addressesFree: 253,
    refuses: [],
    allowed: { capabilities: [] },
    ports: ports(),
    ...more,
  };
}

const slots = (count: number): SlotDemand[] =>
  Array.from({ length: count }, (_, index) => ({ slot: index + 1 }));

test("the busier machine is chosen last; names break ties", () => {
  const hosts = [host("m1", { instances: 3 }), host("m2"), host("m3", { instances: 3, cpus: 64 })];
  const placed = place(needs, slots(3), [], hosts);
  expect(placed.ok && [...placed.machines]).toEqual([
    [1, "m2"],
    [2, "m3"],
    [3, "m1"],
  ]);
});

test.each([
  ["docker", undefined, true],
  ["docker", "app", true],
  ["docker", "0:1000", true],
  ["docker", "1000", false],
  ["process", undefined, false],
  ["process", "nobody", false],
  ["process", "root:app", true],
  ["process", "00", true],
  ["process", "1000:0", false],
] as const)("a machine that refuses root, %s, user %s: refused %s", (runtime, user, refused) => {
  const kind = runtime === "docker" ? "image" : "bundle";
  const placed = place({ ...needs, kind, user }, slots(1), [], [host("m1", { runtime, refuses: ["root"] })]);
  expect(placed.ok).toBe(!refused);
  expect(JSON.stringify(placed).includes("policy.refuse")).toBe(refused);
  expect(place({ ...needs, kind, user }, slots(1), [], [host("m1", { runtime })]).ok).toBe(true);
});

test("capabilities are free, or need the line in a machine's configuration that the reason quotes", () => {
  const reasons = (capAdd: readonly string[], ...hosts: Host[]) => {
    const placed = place({ ...needs, container: { capAdd } }, slots(1), [], hosts);
    return placed.ok ? [...placed.machines.values()] : placed.reasons.map(({ reason }) => reason);
  };
  const open = host("m2", { allowed: { capabilities: ["NET_ADMIN"] } });
  expect(reasons(["NET_RAW", "CHOWN"], host("m1"))).toEqual(["m1"]);
  expect(reasons(["NET_ADMIN"], host("m1"), open)).toEqual(["m2"]);
  expect(reasons(["NET_ADMIN", "NET_RAW", "SYS_TIME"], host("m1"), open)).toEqual([
    'does not allow cap_add NET_ADMIN, SYS_TIME: its configuration would with policy.capabilities = ["NET_ADMIN", "SYS_TIME"]',
    'does not allow cap_add SYS_TIME: its configuration would with policy.capabilities = ["NET_ADMIN", "SYS_TIME"]',
  ]);
  expect(reasons(["NET_RAW"], host("m1", { refuses: ["cap_add"] }))).toEqual([
    'refuses cap_add: "cap_add" is in policy.refuse of its configuration',
  ]);
});

test("the reason comes with each machine when none fits", () => {
  const hosts = [
    host("m1", { closed: "draining" }),
    host("m2", { memoryFreeBytes: 100 * 2 ** 20 }),
    host("m3", { unreachable: "no answer within 3000 ms" }),
    host("m4", { runtime: "process", images: false }),
    host("m5", { region: "us" }),
    host("m6", { cpus: 1 }),
    host("m7", { addressesFree: 0 }),
  ];
  const machines = ["m1", "m2", "m3", "m4", "m6", "m7"];
  const placed = place(
    { kind: "image", constraints: { machines }, memoryBytes: 256 * 2 ** 20, cpus: 1.5 },
    slots(1),
    [],
    hosts,
  );
  expect(placed).toEqual({
    ok: false,
    slot: 1,
    reasons: [
      { machine: "m1", reason: "draining" },
      { machine: "m2", reason: "100 MiB of memory free, 256 MiB needed" },
      { machine: "m3", reason: "unreachable: no answer within 3000 ms" },
      { machine: "m4", reason: "its version of Ployz runs images with Docker only" },
      { machine: "m5", reason: "not among the machines it is constrained to" },
      { machine: "m6", reason: "has 1 CPUs, 1.5 needed" },
      { machine: "m7", reason: "no address of its subnet is free" },
    ],
  });
});

test("memory is booked: a machine is not filled twice over", () => {
  const placed = place({ ...needs, memoryBytes: 5 * GIB }, slots(3), [], [host("m1"), host("m2")]);
  expect(placed).toMatchObject({ ok: false, slot: 3 });
});

test("what stops first leaves its memory to its successor", () => {
  const full = () => [host("m1", { memoryFreeBytes: GIB })];
  const wanted = { ...needs, memoryBytes: 2 * GIB };
  expect(place(wanted, [{ slot: 1, prefer: "m1" }], [], full()).ok).toBe(false);
  expect(place(wanted, [{ slot: 1, prefer: "m1", freedBytes: 2 * GIB }], [], full()).ok).toBe(true);
});

const anyHost = (index: number) =>
  fc
    .record({
      runtime: fc.constantFrom("docker" as const, "process" as const),
      region: fc.constantFrom(undefined, "eu", "us"),
      az: fc.constantFrom(undefined, "a", "b"),
      unreachable: fc.constantFrom(undefined, "no answer"),
      closed: fc.constantFrom(undefined, "draining" as const, "standby" as const),
      cpus: fc.integer({ min: 1, max: 64 }),
      memoryFreeBytes: fc.integer({ min: 0, max: 16 }).map((gib) => gib * GIB),
      instances: fc.integer({ min: 0, max: 50 }),
    })
    .map((more) => host(`m${index}`, more));

const anyHosts = fc
  .integer({ min: 1, max: 12 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, i) => anyHost(i))));

const anyNeeds: fc.Arbitrary<Needs> = fc.record({
  kind: fc.constantFrom("image" as const, "bundle" as const),
  constraints: fc.constantFrom(undefined, { region: "eu" }, { az: "a" }, { machines: ["m0", "m3"] }),
  memoryBytes: fc.integer({ min: 0, max: 8 }).map((gib) => gib * GIB),
  cpus: fc.constant(0),
});

test("spread over zones evens out zones, then the machines of each, and a second placement moves nothing", () => {
  const zones = fc.array(fc.constantFrom(undefined, "a", "b", "c"), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(zones, fc.integer({ min: 1, max: 20 }), (azs, count) => {
      const hosts = () => azs.map((az, index) => host(`m${index}`, { az }));
      const wanted = { ...needs, spread: "az" as const };
      const placed = place(wanted, slots(count), [], hosts());
      if (!placed.ok) throw new Error("each fits");
      const on = [...placed.machines.values()];
      const even = (counts: readonly number[]) => Math.max(...counts) - Math.min(...counts) <= 1;
      const times = (id: string) => on.filter((machine) => machine === id).length;
      const zone = (az: string | undefined) =>
        azs.flatMap((other, index) => (other === az ? [times(`m${index}`)] : []));
      const all = [...new Set(azs)].map(zone);
      expect(even(all.map((each) => each.reduce((sum, one) => sum + one)))).toBe(true);
      expect(all.every(even)).toBe(true);
      const again = [...placed.machines].map(([slot, prefer]) => ({ slot, prefer }));
      expect(place(wanted, again, [], hosts())).toEqual(placed);
    }),
  );
});

test("placement never breaks a constraint, overbooks memory or lands on a leaving machine", () => {
  fc.assert(
    fc.property(anyHosts, anyNeeds, fc.integer({ min: 0, max: 30 }), (hosts, wanted, count) => {
      const before = new Map(hosts.map((one) => [one.id, { ...one }]));
      const placed = place(wanted, slots(count), [], hosts);
      if (!placed.ok) return;
      expect(placed.machines.size).toBe(count);
      const used = new Map<string, number>();
      for (const machine of placed.machines.values()) used.set(machine, (used.get(machine) ?? 0) + 1);
      for (const [machine, times] of used) {
        const one = before.get(machine);
        expect(one).toMatchObject({ unreachable: undefined, closed: undefined });
        expect(wanted.kind === "image" ? one?.images : one?.runtime === "process").toBe(true);
        expect(times * wanted.memoryBytes).toBeLessThanOrEqual(one?.memoryFreeBytes ?? 0);
        if (wanted.constraints && "region" in wanted.constraints)
          expect(one?.region).toBe(wanted.constraints.region);
        if (wanted.constraints && "az" in wanted.constraints) expect(one?.az).toBe(wanted.constraints.az);
        if (wanted.constraints && "machines" in wanted.constraints)
          expect(wanted.constraints.machines).toContain(machine);
      }
    }),
  );
});

test("on equal machines the spread differs by at most one, wherever the predecessors were", () => {
  const prefer = fc.option(fc.constantFrom("m0", "m1", "m2", "m3"), { nil: undefined });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.array(prefer, { maxLength: 25 }), (machines, wishes) => {
      const hosts = Array.from({ length: machines }, (_, i) => host(`m${i}`));
      const demands = wishes.map((wish, i): SlotDemand => ({ slot: i + 1, ...(wish && { prefer: wish }) }));
      const placed = place(needs, demands, [], hosts);
      const counts = hosts.map(({ id }) =>
        placed.ok ? [...placed.machines.values()].filter((m) => m === id).length : -1,
      );
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    }),
  );
});

test("a replacement stays where its predecessor was when that keeps the spread", () => {
  const demands = [1, 2, 3].map((slot) => ({ slot, prefer: `m${4 - slot}` }));
  const placed = place(needs, demands, [], [host("m1"), host("m2", { instances: 9 }), host("m3")]);
  expect(placed.ok && Object.fromEntries(placed.machines)).toEqual({ 1: "m3", 2: "m2", 3: "m1" });
});

test("an image goes to machines of its architecture, and a constraint names one", () => {
  const hosts = [host("m1"), host("m2", { arch: "arm64" }), host("m3", { arch: undefined })];
  const image = place({ ...needs, imageArch: "arm64" }, slots(2), [], hosts.slice(0, 2));
  expect(image.ok && [...image.machines.values()]).toEqual(["m2", "m2"]);
  const none = place({ ...needs, imageArch: "arm64" }, slots(1), [], hosts.slice(0, 1));
  expect(none).toMatchObject({ reasons: [{ reason: "is amd64, and the image is for arm64" }] });
  const both = place({ ...needs, constraints: { arch: "arm64" } }, slots(1), [], hosts.slice(0, 1));
  expect(both).toMatchObject({ reasons: [{ reason: "is amd64, not arm64" }] });
});

test("a process machine takes images and bundles, Docker only images", () => {
  const hosts = [host("m1"), host("m2", { runtime: "process" })];
  const bundle = place({ ...needs, kind: "bundle" }, slots(2), [], hosts);
  expect(bundle.ok && [...bundle.machines.values()]).toEqual(["m2", "m2"]);
  const image = place(needs, slots(2), [], hosts);
  expect(image.ok && [...image.machines.values()].sort()).toEqual(["m1", "m2"]);
});

test("a slot looks at each machine a fixed number of times, however many machines there are", () => {
  const looks = (machines: number, spread?: "az") => {
    let reads = 0;
    const hosts = Array.from(
      { length: machines },
      (_, index) =>
        new Proxy(host(`m${index}`, { az: `z${index % 3}` }), {
          get(target, field) {
            reads += 1;
            return Reflect.get(target, field);
          },
        }),
    );
    const demands = slots(machines).map((slot) => ({ ...slot, prefer: "m0" }));
    expect(place({ ...needs, ...(spread && { spread }) }, demands, [], hosts).ok).toBe(true);
    return reads / machines ** 2;
  };
  for (const spread of [undefined, "az"] as const)
    expect(looks(160, spread)).toBeLessThan(looks(40, spread) * 1.2);
});
