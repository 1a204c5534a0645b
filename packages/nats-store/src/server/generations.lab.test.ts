import { afterEach, beforeEach, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../test/machines.ts";
import { openFacts } from "../client/facts.ts";
import { initStore, type NatsStore, type StoreMachine, serviceOf } from "../index.ts";

let cluster: Cluster;
let m1: StoreMachine;
let m2: StoreMachine;
beforeEach(async () => {
  cluster = await startCluster(["m1", "m2"]);
  [m1, m2] = [cluster.machines.m1 as StoreMachine, cluster.machines.m2 as StoreMachine];
});
afterEach(() => cluster.cleanup());

const open = (machine: string, more: { generation?: number; servers?: readonly string[] } = {}) =>
  cluster.store(machine, { servers: cluster.first, deadlineMs: 1200, ...more });
const unavailable = { code: "store_unavailable" };

async function refusesWrites({ facts, commits, journals, leases }: NatsStore, revision: number) {
  expect((await facts.get("kept"))?.revision).toBe(revision); // reads continue
  await Promise.all([
    expect(facts.put("kept", 2, revision)).rejects.toMatchObject(unavailable),
    expect(facts.remove("kept", revision)).rejects.toMatchObject(unavailable),
    expect(commits.append({ namespace: "prod", operation: "op" }, 0)).rejects.toMatchObject({
      details: { reason: expect.stringContaining("re-founded") },
    }),
    expect(journals.append("op", 0, 1)).rejects.toMatchObject(unavailable),
    expect(journals.putSummary("op", 1)).rejects.toMatchObject(unavailable),
    expect(leases.acquire("x", { operation: "op", machine: "m1" }, 5000)).rejects.toMatchObject(unavailable),
  ]);
}

it("refuses every write of every member while fenced, also after a power cut, and takes them again when it is undone", async () => {
  const [store, member] = [open("m1"), open("m2")];
  const fact = await member.facts.put("kept", 1, 0);
  const revision = fact.ok ? fact.revision : 0;
  await m1.fence(1, "r1");
  await m1.fence(1, "r1");
  for (const restart of [async () => undefined, () => cluster.hosts.m1?.kill(serviceOf(1))]) {
    await restart();
    cluster.hosts.m1?.boot();
    await cluster.ensure("m1", 1);
    await Promise.all([store, member].map((one) => refusesWrites(one, revision)));
    const secrets = openFacts(store.session, "secrets");
    await expect(secrets.put("key", "sealed", 0)).rejects.toMatchObject(unavailable);
  }
  await m1.unfence(1, "r1");
  expect((await member.facts.put("kept", 2, revision)).ok).toBe(true);
  expect(await store.commits.last("prod")).toBeUndefined();
});

it("keeps its promise to one re-founding at a time", async () => {
  await m1.fence(1, "r1");
  await m1.fence(1, "r2");
  await expect(m1.retire(1, "r1")).rejects.toMatchObject({ code: "store_fence_lost" });
  await expect(m1.unfence(1, "r1")).rejects.toMatchObject({ code: "store_fence_lost" });
  // Nor does a late message of the one that lost it get it back.
  await expect(m1.fence(1, "r1")).rejects.toMatchObject({ code: "store_fence_lost" });
  await m1.unfence(1, "r2");
  await m1.unfence(1, "r2");
  await expect(m1.fence(1, "r2")).rejects.toMatchObject({ code: "store_fence_lost" });
  await m1.fence(1, "r3");
  await m1.retire(1, "r3");
  await m1.retire(1, "r3");
  for (const late of [
    () => m1.unfence(1, "r3"),
    () => m1.fence(1, "r4"),
    () => m1.retire(1, "r4"),
    () => cluster.ensure("m1", 1),
  ]) {
    await expect(late()).rejects.toMatchObject({ code: "store_generation_retired" });
  }
  await expect(m1.retire(7, "r2")).rejects.toMatchObject({ code: "store_fence_lost" });
});

it("keeps the fence when members are loaded meanwhile, and never both retires and takes writes again", async () => {
  const done = await Promise.all([cluster.ensure("m1", 1), m1.fence(1, "r1"), cluster.ensure("m1", 1)]);
  expect(done).toHaveLength(3);
  expect((await m1.record())?.generations).toMatchObject([{ state: "fenced", fence: "r1" }]);
  const both = await Promise.allSettled([m1.unfence(1, "r1"), m1.retire(1, "r1")]);
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
});

it("wipes what an earlier founding left, opens only for the founding that it belongs to, and never two at once", async () => {
  const [one, two] = [await cluster.set(2, ["m1"]), await cluster.set(2, ["m1"])];
  await m1.found(one);
  await m1.found(two);
  await expect(m1.serve(2, one.id)).rejects.toMatchObject({ code: "store_founding_lost" });
  await expect(m1.serve(2, two.id)).rejects.toMatchObject({ code: "store_two_generations" });
  await m1.drop(2, one.id);
  expect((await m1.record())?.generations).toHaveLength(2);
  await m1.drop(2, two.id);
  expect((await m1.record())?.generations).toMatchObject([{ generation: 1, state: "serving" }]);
  await expect(m1.found({ ...one, generation: 1 })).rejects.toMatchObject({
    code: "store_generation_exists",
  });
  await expect(m2.fence(1, "r1")).rejects.toMatchObject({ code: "store_generation_unknown" });
});

it("never uses an older server than the generation that it knows, and learns a newer one from its servers", async () => {
  // m2 was recovered as generation 2 while m1 was thought to be lost for good. It is back, and takes writes.
  const set = await cluster.set(2, ["m2"]);
  await m2.found(set);
  await m2.serve(2, set.id);
  const newer = [`127.0.0.1:${set.servers[0]?.port}`];
  const founder = open("m2", { servers: newer, generation: 2 });
  await initStore(founder.session, { generation: 2 });
  const outdated = open("m1");
  expect((await outdated.facts.put("from.m1", 1, 0)).ok).toBe(true);

  const knows = open("m2", { generation: 2 });
  await expect(knows.facts.put("late", 1, 0)).rejects.toMatchObject({
    code: "store_unavailable",
    details: { reason: expect.stringContaining("generation 1 answered") },
  });
  const both = { servers: [...cluster.first, ...newer], deadlineMs: 10_000 };
  for (let n = 0; n < 8; n += 1) {
    const either = cluster.store("m2", { ...both, generation: 2 });
    expect((await either.facts.put(`either.${n}`, 1, 0)).ok).toBe(true);
    await either.close();
  }
  expect(await founder.facts.list("either")).toHaveLength(8);
  expect(await outdated.facts.list("either")).toEqual([]);

  // Once told, or once connected to a newer one, there is no way back: not even when only the old one is left.
  outdated.session.switchServers(2, both.servers);
  expect(await outdated.facts.get("from.m1")).toBeUndefined();
  outdated.session.switchServers(1, cluster.first);
  const learnt = open("m2", { servers: newer });
  await learnt.facts.get("x");
  expect(learnt.session.generation()).toBe(2);
  await cluster.hosts.m2?.cut();
  await expect(outdated.facts.put("after", 1, 0)).rejects.toMatchObject(unavailable);
  expect(await open("m1").facts.get("after")).toBeUndefined();
});
