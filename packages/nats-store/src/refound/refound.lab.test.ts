import { afterEach, beforeEach, expect, it } from "vitest";
import { type Cluster, continuousWriter, startCluster } from "../../test/machines.ts";

let cluster: Cluster;
beforeEach(async () => {
  cluster = await startCluster(["m1", "m2", "m3", "m4", "m5"]);
});
afterEach(() => cluster.cleanup());

it("goes 1→3→5→1→another machine while somebody writes: nothing acknowledged is lost, revisions stay", async () => {
  const store = cluster.store("m5", { servers: cluster.first, generation: 1 });
  const writer = continuousWriter(store);
  await writer.more(20);
  let from = { generation: 1, machines: ["m1"] as readonly string[] };
  for (const machines of [["m1", "m2", "m3"], ["m1", "m2", "m3", "m4", "m5"], ["m1"], ["m4"]]) {
    const set = await cluster.set(from.generation + 1, machines);
    const t = performance.now();
    const done = await cluster.move(from, set, (s) =>
      console.log(set.generation, s, Math.round(performance.now() - t)),
    );
    console.log("done", Math.round(performance.now() - t), writer.acknowledged.length);
    expect(done).toMatchObject({ generation: set.generation, notOpen: [], notRetired: [] });
    store.session.switchServers(done.generation, done.servers);
    await writer.more(20);
    for (const machine of from.machines) await cluster.machines[machine]?.stop(from.generation);
    from = { generation: set.generation, machines };
  }
  const acknowledged = await writer.stop();
  const history = await store.commits.history("writer", 1_000_000);
  expect(
    [...history].reverse().map(({ value, revision }) => ({ operation: value.operation, revision })),
  ).toEqual(acknowledged);
});
