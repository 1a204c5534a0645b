import { describe, expect, test } from "vitest";
import type { ChangeFacts, MachineFact } from "../change/observe/facts.ts";
import type { Commit, ServiceSpec } from "../model/commit.ts";
import type { MachineRecord } from "../model/machine.ts";
import { chooseTargets } from "./targets.ts";

const GIB = 2 ** 30;

type Machine = {
  readonly freeGib?: number;
  readonly availableGib?: number;
  readonly memoryGib?: number;
  readonly state?: MachineRecord["state"];
  readonly region?: string;
  readonly silent?: true;
  readonly usedGib?: number;
};

function machine(id: string, given: Machine = {}): MachineFact {
  const { freeGib, availableGib = freeGib ?? 0, memoryGib = 8, state = "active", region, silent } = given;
  const subnet = "10.101.1.0/24";
  const record = { id, state, subnet, runtime: "process", ...(region && { region }) } as MachineRecord;
  if (silent) return { record, revision: 1 };
  const storage = { root: "t", usedBytes: 0, promisedBytes: 0 };
  const observation = {
    ...{ machine: id, runtime: "process", draining: false, cpus: 1, memoryFreeBytes: memoryGib * GIB },
    instances: [],
    volumes: [{ id: "v.data", referencedBytes: (given.usedGib ?? 0) * GIB }],
    ...(freeGib !== undefined && {
      storage: { ...storage, promisableBytes: freeGib * GIB, availableBytes: availableGib * GIB },
    }),
  } as unknown as NonNullable<MachineFact["observation"]>;
  return { record, revision: 1, observation };
}

const service = (volumes: readonly string[], more: Partial<ServiceSpec> = {}) => ({
  revision: "",
  spec: {
    volumes: Object.fromEntries(volumes.map((name) => [name, `/${name}`])),
    placement: { kind: "replicas", count: 1 },
    bundle: { digest: "" },
    ...more,
  } as ServiceSpec,
});

const volume = (name: string, on = "m1", quotaGib?: number) => ({
  ...{ name, id: `v.${name}`, machine: on, guid: "1" },
  spec: { scope: "single" as const, ...(quotaGib !== undefined && { quotaBytes: quotaGib * GIB }) },
});

function choose(
  machines: readonly MachineFact[],
  volumes: readonly ReturnType<typeof volume>[],
  services: Readonly<Record<string, ReturnType<typeof service>>> = {},
) {
  const commit = { namespace: "prod", volumes, services } as unknown as Commit;
  const facts: ChangeFacts = {
    machines,
    others: [],
    content: new Map(),
    secrets: [],
    candidates: 0,
    certificates: [],
  };
  const { machines: chosen, refusals } = chooseTargets(commit, "m1", facts);
  return { chosen: Object.fromEntries(chosen), refusals: refusals.map(({ message }) => message) };
}

describe("where a volume goes", () => {
  test("to the machine of which most can still be promised; of equals, by name", () => {
    const machines = [
      machine("m1", { freeGib: 99 }),
      machine("m2", { freeGib: 5 }),
      machine("m3", { freeGib: 9 }),
    ];
    expect(choose(machines, [volume("data")]).chosen).toEqual({ data: "m3" });
    expect(
      choose([machine("m3", { freeGib: 5 }), machine("m2", { freeGib: 5 })], [volume("data")]).chosen,
    ).toEqual({
      data: "m2",
    });
  });

  test("what one takes the next does not find, largest first", () => {
    const machines = [machine("m2", { freeGib: 6 }), machine("m3", { freeGib: 5 })];
    const volumes = [volume("a", "m1", 4), volume("b", "m1", 5)];
    expect(choose(machines, volumes).chosen).toEqual({ b: "m2", a: "m3" });
  });

  test("together with those that it is used with, directly or over others", () => {
    const machines = [machine("m2", { freeGib: 9 }), machine("m3", { freeGib: 7 })];
    const volumes = [
      volume("a", "m1", 2),
      volume("b", "m1", 2),
      volume("c", "m1", 2),
      volume("alone", "m1", 4),
    ];
    const services = { x: service(["a", "b"]), y: service(["b", "c"]) };
    const { chosen } = choose(machines, volumes, services);
    expect(chosen).toEqual({ a: "m2", b: "m2", c: "m2", alone: "m3" });
  });

  test("not at all when it is elsewhere already", () => {
    expect(choose([machine("m2", { freeGib: 9 })], [volume("data", "m2")])).toEqual({
      chosen: {},
      refusals: [],
    });
  });

  test("nowhere, with the reason of every machine", () => {
    const machines = [
      machine("m1", { freeGib: 99, usedGib: 3 }),
      machine("m2"),
      machine("m3", { freeGib: 1 }),
      machine("m4", { freeGib: 9, state: "draining" }),
      machine("m5", { freeGib: 9, state: "standby" }),
      machine("m6", { freeGib: 9, silent: true }),
      machine("m7", { freeGib: 9, region: "us" }),
      machine("m8", { freeGib: 9, region: "eu", memoryGib: 1 }),
      machine("m9", { freeGib: 9, availableGib: 2, region: "eu" }),
    ];
    const services = {
      db: service(["data"], { constraints: { region: "eu" }, resources: { memoryBytes: 2 * GIB } }),
    };
    const regions = machines.map((one) =>
      one.record.region ? one : { ...one, record: { ...one.record, region: "eu" } },
    );
    const { refusals } = choose(regions, [volume("data", "m1", 2)], services);
    expect(refusals).toEqual([
      "volumes.data: fits nowhere (m1: it is being drained; m2: has no ZFS for volumes (storage.zfs_root); " +
        "m3: 1024 MiB of its pool can still be promised, 2048 MiB of quotas needed; m4: draining; m5: on standby; " +
        "m6: unreachable: it does not answer; m7: not in region eu; m8: 1024 MiB of memory free, 2048 MiB needed; " +
        "m9: 2048 MiB of its pool free, 3072 MiB of data)",
    ]);
  });
});
