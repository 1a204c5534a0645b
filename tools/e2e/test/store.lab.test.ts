import type { StoreMoved } from "@ployz/primitives";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../src/cluster.ts";
import { storeOf, storeOn, storeWriter } from "../src/store.ts";
import { gatewayTraffic, nothingLost } from "../src/traffic.ts";

const HOST = "www.example.test";

/** One cluster through its store's whole life: each test begins where the one before it ended. */
let cluster: Cluster;

const moved = (i: number, args: readonly string[], ok: readonly number[] = [0]) =>
  cluster.json<StoreMoved>(i, args, { ok, timeoutMs: 180_000 });
const deploy = async (i: number, version: string, ok: readonly number[] = [0]) => {
  const file = await cluster.put(i, webManifest({ version, replicas: 2 }), webBundle);
  return cluster.ctl(i, ["deploy", "-f", file, "--json"], { ok });
};

beforeAll(async () => {
  cluster = await openCluster({ machines: 3 });
  await deploy(1, "v1");
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("moves from one machine to three under load: no request and no acknowledged write is lost", async () => {
  const status = await cluster.ctl(1, ["status"]);
  expect(status.stdout).toContain("ployzctl machine storage promote --replicas 3 m1 m2 m3");
  const preview = await cluster.ctl(2, ["machine", "storage", "promote", "--replicas", "3", "m1", "m2", "m3", "-n"]);
  expect(preview.stdout).toContain("moves from m1 (generation 1) to m1, m2, m3 (generation 2)");
  for (const args of [["m1", "m2"], ["--replicas", "3", "m1", "m2", "m9"]])
    await cluster.ctl(1, ["machine", "storage", "promote", ...args], { ok: [3] });
  expect((await storeOf(cluster, 1)).generation).toBe(1);

  await using traffic = gatewayTraffic(cluster.lab, HOST);
  await using writing = await storeWriter(cluster, 3);
  const done = await moved(2, ["machine", "storage", "promote", "--replicas", "3", "m1", "m2", "m3"]);
  expect(done).toMatchObject({ changed: true, generation: 2, notOpen: [], notRetired: [], unaware: [] });
  await storeOn(cluster, 3, ["m1", "m2", "m3"]);
  await deploy(3, "v2");
  const written = await writing.end();
  console.log(`1 → 3: pause ${done.pauseMs} ms, ${JSON.stringify(written)}`);
  expect(written.lost).toEqual([]);
  await nothingLost("1 → 3", traffic);
  expect(await moved(1, ["machine", "storage", "promote", "--replicas", "3", "m1", "m2", "m3"])).toMatchObject({
    changed: false,
  });
});
