import { waitFor } from "@ployz/exec";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, continuousWriter, startCluster } from "../../test/machines.ts";
import { operationOf } from "../../test/rig.ts";
import { openMirror, serviceOf } from "../index.ts";
import { streams } from "../names.ts";

let cluster: Cluster;
let servers: readonly string[];
const service = serviceOf(2);
const machines = ["m1", "m2", "m3"] as const;
beforeAll(async () => {
  cluster = await startCluster(["m1", "m2", "m3", "m4"]);
  const set = await cluster.set(2, machines);
  ({ servers } = await cluster.move({ generation: 1, machines: ["m1"] }, set));
});
afterAll(() => cluster.cleanup());

const open = (deadlineMs?: number) =>
  cluster.store("m4", { servers, generation: 2, ...(deadlineMs !== undefined && { deadlineMs }) });

/** The machine whose server leads the commits. */
async function leader(): Promise<string> {
  const store = open();
  const machine = await waitFor(
    "a leader of the commits",
    async () => {
      const link = await store.session.link();
      const found = await link.jsm.streams.info(streams.commits).catch(() => undefined);
      return found?.cluster?.leader?.split("-").at(-1);
    },
    { timeoutMs: 30_000 },
  );
  await store.close();
  return machine;
}

it.each(["SIGKILL", "SIGSTOP"] as const)(
  "loses and doubles nothing when the leader gets %s in the middle of appends",
  async (signal) => {
    const store = open(30_000);
    const namespace = `leader-${signal.toLowerCase()}`;
    const writer = continuousWriter(store, namespace);
    await writer.more(20);
    const host = cluster.hosts[await leader()];
    if (signal === "SIGKILL") await host?.kill(service);
    else host?.send(service, signal);
    await writer.more(20);
    host?.send(service, "SIGCONT");
    host?.boot();
    await writer.more(20);
    const acknowledged = await writer.stop();
    expect(writer.refused).toEqual([]);
    const history = await store.commits.history(namespace, 100_000);
    expect([...history].reverse().map(({ value, revision }) => [operationOf(value), revision])).toEqual(
      acknowledged.map(({ operation, revision }) => [operation, revision]),
    );
    await store.close();
  },
);

it("lets exactly one of many racing writers win each round", async () => {
  const [a, b, c] = [open(), open(), open()];
  for (let round = 0; round < 15; round += 1) {
    const results = await Promise.all(
      [a, b, c].map((store, n) => store.facts.put(`race.${round}`, `writer-${n}`, 0)),
    );
    expect(results.filter(({ ok }) => ok)).toHaveLength(1);
  }
});

it("says store_unavailable within the deadline without a quorum, reads the mirror on, and comes back with it", async () => {
  const store = open(2500);
  const fact = await store.facts.put("kept", 1, 0);
  const dir = `${cluster.dir}/mirror`;
  const mirror = await openMirror({ dir, store });
  await mirror.synced();
  const lost = ["m1", "m2"] as const;
  for (const machine of lost) await cluster.hosts[machine]?.cut();
  const asked = performance.now();
  await expect(store.facts.put("new", 1, 0)).rejects.toMatchObject({ code: "store_unavailable" });
  await expect(store.commits.append({ namespace: "none", operation: "op" }, 0)).rejects.toMatchObject({
    code: "store_unavailable",
  });
  expect(performance.now() - asked).toBeLessThan(2 * 2500 + 1000);
  expect(mirror.facts("kept")).toHaveLength(1);
  await mirror.flushed();
  expect((await openMirror({ dir })).facts("kept")).toHaveLength(1);

  for (const machine of lost) cluster.hosts[machine]?.boot();
  const patient = open(30_000);
  expect((await patient.facts.get("kept"))?.revision).toBe(fact.ok && fact.revision);
  // The write that timed out may have reached the store; repeating it finds out, and stores it once.
  expect((await patient.commits.append({ namespace: "none", operation: "op" }, 0)).committed).toBe(true);
  expect(await patient.commits.history("none", 10)).toHaveLength(1);
  expect((await patient.facts.put("new", 1, 0)).ok).toBe(true);
  await mirror.close();
});
