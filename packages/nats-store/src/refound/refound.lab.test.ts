import { readdir } from "node:fs/promises";
import { waitFor } from "@ployz/exec";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Cluster, continuousWriter, startCluster } from "../../test/machines.ts";
import { operationOf } from "../../test/rig.ts";
import { type NatsStore, openMirror, openRpc, serve } from "../index.ts";

let cluster: Cluster;
beforeEach(async () => {
  cluster = await startCluster(["m1", "m2", "m3", "m4", "m5"]);
});
afterEach(() => cluster.cleanup());

it("goes 1→3→5→1→another machine under writes: nothing acknowledged is lost, revisions stay", async () => {
  const store = cluster.store("m5", { servers: cluster.first, generation: 1 });
  const writer = continuousWriter(store);
  await writer.more(20);
  let from = { generation: 1, machines: ["m1"] as readonly string[] };
  for (const machines of [["m1", "m2", "m3"], ["m1", "m2", "m3", "m4", "m5"], ["m1"], ["m4"]]) {
    const set = await cluster.set(from.generation + 1, machines);
    const done = await cluster.move(from, set);
    expect(done).toMatchObject({ generation: set.generation, notOpen: [], notRetired: [] });
    store.session.switchServers(done.generation, done.servers);
    await writer.more(20);
    for (const machine of from.machines) await cluster.machines[machine]?.stop(from.generation);
    from = { generation: set.generation, machines };
  }
  const acknowledged = await writer.stop();
  const history = await store.commits.history("writer", 1_000_000);
  expect([...history].reverse().map(({ value, revision }) => [operationOf(value), revision])).toEqual(
    acknowledged.map(({ operation, revision }) => [operation, revision]),
  );
  // The old data is still there, each generation by itself.
  for (const generation of [1, 2, 3, 4]) {
    expect((await readdir(`${cluster.dir}/m1`)).includes(`generation-${generation}`)).toBe(true);
  }
});

it("keeps calls, followers, leases and the mirror going across the switch", async () => {
  const [a, b] = ["m4", "m5"].map((machine) =>
    cluster.store(machine, { servers: cluster.first, generation: 1 }),
  ) as [NatsStore, NatsStore];
  const errors: unknown[] = [];
  const mirror = await openMirror({
    dir: `${cluster.dir}/mirror`,
    store: b,
    onError: (error) => errors.push(error),
  });
  await mirror.synced();
  const lease = await a.leases.acquire("deploy.prod", { operation: "op", machine: "m4" }, 60_000);
  let finish: (value: string) => void = () => undefined;
  const finished = new Promise<string>((resolve) => {
    finish = resolve;
  });
  const served = serve(b.session, {
    calls: { "long.work": () => finished, "short.work": async () => "short" },
  });
  await served.ready();
  const working = openRpc(a.session, { aliveMs: 300 }).call("m5", "long.work", null, { timeoutMs: 60_000 });

  const set = await cluster.set(2, ["m1", "m2", "m3"]);
  const done = await cluster.move({ generation: 1, machines: ["m1"] }, set);
  // Every machine learns of it on its own.
  b.session.switchServers(done.generation, done.servers);
  a.session.switchServers(done.generation, done.servers);
  await cluster.machines.m1?.stop(1);

  const written = await a.facts.put("after", 1, 0);
  await waitFor("the mirror to follow", async () => mirror.facts("after")[0], { timeoutMs: 20_000 });
  expect(mirror.facts("after")[0]?.revision).toBe(written.ok && written.revision);
  expect(errors).toEqual([]);
  expect(lease.acquired && (await a.leases.renew(lease.lease))?.fence).toBe(
    lease.acquired && lease.lease.fence,
  );
  expect(await openRpc(a.session).call("m5", "short.work", null, { timeoutMs: 10_000 })).toBe("short");
  finish("done");
  expect(await working).toBe("done");
  served.close();
  await mirror.close();
});
