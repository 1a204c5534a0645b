import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkPrimitive, checkSchedule } from "../testing/harness/check.ts";
import { createCluster, type Fault, openProcess } from "../testing/harness/process.ts";
import type { MemoryTarget } from "../testing/memory-remote.ts";
import {
  type AddWorld,
  addScenario,
  addWorld,
  CLUSTER,
  inspectAdd,
  memberRecord,
} from "../testing/scenarios/machine-add.ts";
import { machineAdd } from "./index.ts";

const first = ({ ports }: AddWorld): MemoryTarget => {
  const target = ports.remote.targets.get("198.51.100.10");
  if (target === undefined) throw new Error("no target");
  return target;
};

/** Ployz was installed by hand, and a run whose seat is gone left the machine half a member. */
const halfAdded = (world: AddWorld) => {
  const target = first(world);
  target.payload = { version: "0.9.0", build: "build-0" };
  target.daemon = true;
  target.membership = { cluster: CLUSTER.id, machine: "a", operation: "01DEAD" };
};

describe("machine add under the harness", () => {
  it("ends with a member or with the previous state: a bare machine", async () => {
    expect(await checkPrimitive(addScenario())).toEqual([]);
  }, 120_000);

  it("ends with a member or with the previous state: a half-added machine with an older build", async () => {
    // The unfinished membership is not put back: it was nobody's. So one without a record counts as none.
    const inspect = async (world: AddWorld) => {
      const found = (await inspectAdd(world)) as { machines: string[]; targets: string[] };
      const recorded = found.machines.some((machine) => machine.startsWith("a "));
      return recorded ? found : { ...found, targets: found.targets.map((one) => one.replace(/ a$/, " -")) };
    };
    expect(await checkPrimitive({ ...addScenario(halfAdded), inspect })).toEqual([]);
  }, 120_000);

  it("survives any schedule of faults", async () => {
    const fault = fc.record({
      at: fc.nat(80),
      when: fc.constantFrom("before" as const, "after" as const),
      kind: fc.constantFrom<Fault["kind"]>("crash", "unavailable", "abort"),
    });
    const runs = fc.array(fc.array(fault, { maxLength: 3 }), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(runs, async (schedule) => {
        expect(await checkSchedule(addScenario(), schedule)).toEqual([]);
      }),
      { numRuns: 150 },
    );
  }, 120_000);
});

describe("two machines that are added at once", () => {
  /** The second add begins at call `at` of the first. */
  async function race(world: AddWorld, at: number) {
    const cluster = createCluster(world.clock);
    const start = (host: string, machine: string, faults: readonly Fault[] = []) =>
      openProcess(world, cluster, {
        ...{ primitive: machineAdd, input: { target: `root@${host}` }, machine, faults },
      });
    const other: ReturnType<ReturnType<typeof start>["run"]>[] = [];
    const also = () => void other.push(start("198.51.100.11", "m2").run());
    const process = start("198.51.100.10", "m1", [{ at, when: "before", kind: "call", also }]);
    const outcome = await process.run();
    return { outcomes: [outcome, ...(await Promise.all(other))], calls: process.trace.length };
  }

  it("both get a subnet of their own", async () => {
    const { calls } = await race(await addWorld(), 0);
    for (let at = 0; at < calls; at++) {
      const world = await addWorld();
      const { outcomes } = await race(world, at);
      expect(outcomes.map((one) => typeof one === "object" && "state" in one && one.state)).toEqual([
        "done",
        "done",
      ]);
      const { subnets, answering } = (await inspectAdd(world)) as { subnets: string[]; answering: string[] };
      expect(subnets.length).toBe(4);
      expect(answering.length).toBe(4);
      // The result agrees with the machine.
      for (const one of outcomes) {
        if (typeof one !== "object" || one.kind !== "operation") continue;
        const { machine, subnet } = one.output as { machine: string; subnet: string };
        const record = (await world.ports.store.facts.get(`machine.${machine}`))?.value;
        expect(record).toMatchObject({ subnet, state: "active" });
      }
    }
  }, 60_000);

  it("under one name: one gets it, and the other target is left as it was", async () => {
    const same = ({ ports }: AddWorld) => {
      for (const target of ports.remote.targets.values())
        target.facts = { ...target.facts, hostname: "web.example.test" };
    };
    const { calls } = await race(await addWorld(same), 0);
    for (let at = 0; at < calls; at++) {
      const world = await addWorld(same);
      const { outcomes } = await race(world, at);
      const codes = outcomes.map((one) => {
        if (typeof one === "string" || one.kind === "plan") return one;
        return one.kind === "refused" ? one.refusals[0]?.code : (one.error?.code ?? one.state);
      });
      expect(codes.filter((code) => code === "done").length).toBe(1);
      expect(["name_taken", "machine_joining"]).toContain(codes.find((code) => code !== "done"));
      expect(await inspectAdd(world)).toMatchObject({
        machines: [expect.anything(), expect.anything(), expect.stringContaining("web active 3")],
        answering: ["m1", "m2", "web"],
      });
      const left = [...world.ports.remote.targets.values()].filter(({ membership }) => !membership);
      expect(left.map(({ payload, daemon }) => ({ payload, daemon }))).toEqual([
        { payload: undefined, daemon: false },
      ]);
    }
  }, 60_000);
});

describe("a release key", () => {
  const KEY = `${"A".repeat(59)}=`;
  const add = async (prepare: (world: AddWorld) => unknown) => {
    const world = await addWorld(prepare);
    const { remote } = world.ports;
    const documents: unknown[] = [];
    const { ployzctl } = remote;
    remote.ployzctl = (at, args, stdin, signal) => {
      if (args[1] === "join") documents.push(JSON.parse(stdin ?? ""));
      return ployzctl(at, args, stdin, signal);
    };
    const input = { target: "root@198.51.100.10" };
    const run = { primitive: machineAdd, input, machine: "m1" };
    const outcome = await openProcess(world, createCluster(world.clock), run).run();
    return { outcome, documents, effects: first(world).effects };
  };
  const keys = (key: string | undefined, signer: string | undefined) => (world: AddWorld) =>
    Object.assign(world.ports, {
      releases: { key: async () => key, signedBy: async (asked: string) => asked === signer },
    });
  const there = (world: AddWorld) => {
    first(world).facts = { ...first(world).facts, releaseKey: KEY };
  };

  it("goes to the new machine, and none does where there is none", async () => {
    const { outcome, documents } = await add(keys(KEY, KEY));
    expect(outcome).toMatchObject({ state: "done" });
    expect(documents).toEqual([expect.objectContaining({ releaseKey: KEY })]);
    expect((await add(() => {})).documents).toEqual([
      expect.not.objectContaining({ releaseKey: expect.anything() }),
    ]);
  });

  it.each([
    ["a build that the own key did not sign", keys(KEY, undefined)],
    ["a build that the target's key did not sign", there],
  ])("%s is refused before anything is touched", async (_what, prepare) => {
    const { outcome, effects } = await add(prepare);
    expect(outcome).toMatchObject({ refusals: [expect.objectContaining({ code: "payload_unsigned" })] });
    expect(effects).toEqual([]);
  });

  it("of the target says nothing of a build that the target has already", async () => {
    const { outcome } = await add((world) => {
      there(world);
      first(world).payload = { version: "1.0.0", build: "build-1" };
    });
    expect(outcome).toMatchObject({ state: "done" });
  });
});

describe("what an add leaves on the target when it fails", () => {
  async function failing(prepare: (world: AddWorld) => unknown) {
    const world = await addWorld(prepare);
    const cluster = createCluster(world.clock);
    const input = { target: "root@198.51.100.10" };
    const outcome = await openProcess(world, cluster, { primitive: machineAdd, input, machine: "m1" }).run();
    return { world, outcome };
  }
  /** The new machine's record names keys that a member has. */
  const cloned = (world: AddWorld) =>
    world.ports.store.facts.put("machine.twin", memberRecord("twin", 9, first(world).keys), 0);

  it("takes away what it installed, and keeps packages", async () => {
    const { world, outcome } = await failing(cloned);
    expect(outcome).toMatchObject({ state: "failed", error: { code: "identity_taken", step: "seat" } });
    expect(first(world)).toMatchObject({ payload: undefined, daemon: false });
    expect([...first(world).packages].sort()).toEqual(["haproxy", "iproute2"]);
  });

  it("does not let keys in again that were revoked", async () => {
    const { world, outcome } = await failing((world) =>
      world.ports.store.facts.put(
        "removed.old",
        { ...first(world).keys, id: "old", index: 9, operation: "01GONE", forced: true },
        0,
      ),
    );
    expect(outcome).toMatchObject({ state: "failed", error: { code: "machine_removed" } });
    expect(first(world)).toMatchObject({ payload: undefined, daemon: false });
  });

  it("keeps a daemon that was there, with the newer build that it now runs", async () => {
    const { world, outcome } = await failing(async (world) => {
      first(world).payload = { version: "0.9.0", build: "build-0" };
      first(world).daemon = true;
      await cloned(world);
    });
    expect(outcome).toMatchObject({ state: "failed" });
    expect(first(world)).toMatchObject({ payload: { build: "build-1" }, daemon: true });
  });

  it("lets a machine alone that became a member of another cluster while the add was interrupted", async () => {
    const world = await addWorld();
    const cluster = createCluster(world.clock);
    const run = (faults: readonly Fault[]) =>
      openProcess(world, cluster, {
        ...{ primitive: machineAdd, input: { target: "root@198.51.100.10" }, machine: "m1", faults },
      });
    const plain = await addWorld();
    const trial = openProcess(plain, createCluster(plain.clock), {
      ...{ primitive: machineAdd, input: { target: "root@198.51.100.10" }, machine: "m1" },
    });
    await trial.run();
    const at = trial.trace.indexOf("membership.handshake on a");
    expect(await run([{ at, when: "before", kind: "crash" }]).run()).toBe("crashed");
    const other = { cluster: "other-7", machine: "x", operation: "01OTHER" };
    first(world).membership = other;
    const outcome = await run([]).run();
    expect(outcome).toMatchObject({ kind: "refused", refusals: [{ code: "other_cluster" }] });
    expect(first(world)).toMatchObject({ membership: other, daemon: true });
    expect(await world.ports.store.facts.get("machine.a")).toBeUndefined();
  });
});
