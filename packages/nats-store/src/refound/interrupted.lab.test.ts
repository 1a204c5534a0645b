import { expect, it } from "vitest";
import { type Cluster, continuousWriter, startCluster } from "../../test/machines.ts";
import {
  abandon,
  entryOf,
  type Refounding,
  readRecord,
  refound,
  type StoreMachine,
  surveyStore,
} from "../index.ts";

class Died extends Error {}

/** Every ninth call in CI, one after the other each time in the nightly suite. */
const STRIDE = Number(process.env.PLOYZ_FAULT_STRIDE ?? 9);

/** The coordinator dies at its `at`th call: before it was sent, or before its answer came. Nothing it asks later is heard. */
function dying(
  refounding: Refounding,
  at: number,
  when: "before" | "after",
): { refounding: Refounding; calls(): number } {
  let calls = 0;
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    calls += 1;
    if (calls > at || (calls === at && when === "before")) throw new Died();
    const value = await work();
    if (calls >= at) throw new Died();
    return value;
  };
  const machine = (name: string): StoreMachine => {
    const real = refounding.machine(name);
    return {
      record: () => guard(() => real.record()),
      fence: (generation, id) => guard(() => real.fence(generation, id)),
      unfence: (generation, id) => guard(() => real.unfence(generation, id)),
      retire: (generation, id) => guard(() => real.retire(generation, id)),
      found: (set) => guard(() => real.found(set)),
      serve: (generation, id) => guard(() => real.serve(generation, id)),
      drop: (generation, id) => guard(() => real.drop(generation, id)),
      stop: (generation) => guard(() => real.stop(generation)),
    };
  };
  const carry = (fenced: readonly string[]) => guard(() => refounding.carry(fenced));
  return { refounding: { ...refounding, machine, carry }, calls: () => calls };
}

/**
 * Which generations take a change right now, asked of every server that any machine has a record of: a lease, without which nothing is
 * committed. One that is being founded takes facts from its own machines, and nothing else.
 */
async function accepting(cluster: Cluster): Promise<readonly number[]> {
  const found = new Map<number, string[]>();
  for (const machine of Object.keys(cluster.machines)) {
    const record = await readRecord(`${cluster.dir}/${machine}`);
    for (const { generation, listen } of record?.generations ?? []) {
      if (listen) found.set(generation, [...(found.get(generation) ?? []), `${listen.host}:${listen.port}`]);
    }
  }
  const open: number[] = [];
  for (const [generation, servers] of found) {
    const probe = cluster.store("m1", { servers, deadlineMs: 1200, attemptMs: 500 });
    const wrote = await probe.leases
      .acquire(`probe-${Math.random().toString(36).slice(2)}`, { operation: "probe", machine: "m1" }, 5_000)
      .then(
        ({ acquired }) => acquired,
        () => false,
      );
    await probe.close();
    if (wrote) open.push(generation);
  }
  return open;
}

const powerCut = async (cluster: Cluster) => {
  for (const host of Object.values(cluster.hosts)) {
    await host.cut();
    host.boot();
  }
};

it.each(["before", "after"] as const)(
  "dies at a call (%s it was done), then power fails: never two generations take writes, and the next run finishes",
  async (when) => {
    for (let at = 2; ; at += STRIDE) {
      const cluster = await startCluster(["m1", "m2"]);
      try {
        const store = cluster.store("m1", { servers: cluster.first, generation: 1 });
        const writer = continuousWriter(store);
        await writer.more(5);
        const from = { generation: 1, machines: ["m1"] };
        const first = await cluster.set(2, ["m2"]);
        const { refounding, calls } = dying(cluster.refounding(from, first), at, when);
        const ended = await refound(refounding).then(
          () => "done",
          (error: unknown) => error,
        );
        if (ended === "done" && calls() < at) return;
        await powerCut(cluster);
        expect((await accepting(cluster)).length, `after call ${at}`).toBeLessThanOrEqual(1);

        const records = Object.fromEntries(
          await Promise.all(
            Object.entries(cluster.machines).map(async ([name, machine]) => [name, await machine.record()]),
          ),
        );
        const survey = surveyStore(records);
        const decided = survey.unfinished.find((one) => one.decided);
        // Decided: the same is finished. Not decided: another takes its place. Served already: nothing is left to do.
        const next = decided || survey.serving?.generation === 2 ? first : await cluster.set(2, ["m2"]);
        const done = await refound(cluster.refounding(from, next));
        expect(await accepting(cluster), `finished after call ${at}`).toEqual([2]);
        store.session.switchServers(done.generation, done.servers);
        await writer.more(5);
        const acknowledged = await writer.stop();
        const history = await store.commits.history("writer", 100_000);
        expect([...history].reverse().map((entry) => entry.revision)).toEqual(
          acknowledged.map((one) => one.revision),
        );
      } finally {
        await cluster.cleanup();
      }
    }
  },
);

it("gives up by itself when the new servers die before it is decided: the old generation takes writes again", async () => {
  const cluster = await startCluster(["m1", "m2", "m3"]);
  try {
    const store = cluster.store("m1", { servers: cluster.first, generation: 1 });
    const writer = continuousWriter(store);
    await writer.more(5);
    const set = await cluster.set(2, ["m1", "m2", "m3"]);
    const moving = cluster.move({ generation: 1, machines: ["m1"] }, set, async (stage) => {
      if (stage !== "carrying") return;
      await cluster.hosts.m2?.cut();
      await cluster.hosts.m3?.cut();
    });
    await expect(moving).rejects.toMatchObject({
      code: expect.stringMatching(/^store_(restore_failed|unavailable)$/),
    });
    await writer.more(5);
    await writer.stop();
    expect(await accepting(cluster)).toEqual([1]);
    expect(entryOf(await readRecord(`${cluster.dir}/m2`), 2)).toBeUndefined();
  } finally {
    await cluster.cleanup();
  }
});

it("moves on without one of three old servers, and that one can never accept a write when it is back", async () => {
  const cluster = await startCluster(["m1", "m2", "m3", "m4"]);
  try {
    const three = await cluster.set(2, ["m1", "m2", "m3"]);
    const clustered = await cluster.move({ generation: 1, machines: ["m1"] }, three);
    const store = cluster.store("m4", { servers: clustered.servers, generation: 2 });
    const writer = continuousWriter(store);
    await writer.more(10);
    await cluster.hosts.m3?.cut();

    const alone = await cluster.set(3, ["m4"]);
    const refounding = cluster.refounding({ generation: 2, machines: ["m1", "m2", "m3"] }, alone);
    const done = await refound({
      ...refounding,
      machine(name) {
        const real = refounding.machine(name);
        if (name !== "m3") return real;
        const away = () => Promise.reject(new Error("m3 is away"));
        return { ...real, record: away, fence: away, retire: away, unfence: away };
      },
    });
    expect(done).toMatchObject({ generation: 3, notOpen: [], notRetired: ["m3"] });

    // It comes back as it was: not fenced, while the others that retired run on, too.
    cluster.hosts.m3?.boot();
    expect(await accepting(cluster)).toEqual([3]);
    store.session.switchServers(done.generation, done.servers);
    await writer.more(5);
    // A retired generation does not start again; neither does a skipped one.
    await expect(cluster.ensure("m1", 2)).rejects.toMatchObject({ code: "store_generation_retired" });
    await cluster.machines.m3?.start(3, false);
    await expect(cluster.ensure("m3", 2)).rejects.toMatchObject({ code: "store_generation_retired" });
    // And it can hold the store again.
    const again = await cluster.move({ generation: 3, machines: ["m4"] }, await cluster.set(4, ["m3"]));
    expect(again).toMatchObject({ notOpen: [], notRetired: [] });
    expect(await accepting(cluster)).toEqual([4]);
    store.session.switchServers(again.generation, again.servers);
    await writer.more(5);
    await writer.stop();
  } finally {
    await cluster.cleanup();
  }
});

it("is begun when one of three has retired: no set accepts writes, it cannot be abandoned, and the same call finishes", async () => {
  const cluster = await startCluster(["m1", "m2", "m3"]);
  try {
    const three = await cluster.set(2, ["m1", "m2", "m3"]);
    await cluster.move({ generation: 1, machines: ["m1"] }, three);
    const from = { generation: 2, machines: ["m1", "m2", "m3"] };
    const set = await cluster.set(3, ["m1"]);
    const whole = cluster.refounding(from, set);
    const cutOff = {
      ...whole,
      machine: (name: string) => ({
        ...whole.machine(name),
        ...(name !== "m1" && { retire: () => Promise.reject(new Error("cut off")) }),
      }),
    };
    const unfinished = { code: "store_refounding_unfinished", details: { generation: 3, id: set.id } };
    await expect(refound(cutOff)).rejects.toMatchObject(unfinished);
    await powerCut(cluster);
    expect(await accepting(cluster)).toEqual([]);
    await expect(abandon(whole)).rejects.toMatchObject(unfinished);
    expect((await refound(whole)).notRetired).toEqual([]);
    expect(await accepting(cluster)).toEqual([3]);
  } finally {
    await cluster.cleanup();
  }
});
