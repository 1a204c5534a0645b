import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../../src/cluster.ts";
import { FATES, type LeaderRounds, leaderRounds } from "../../src/leader.ts";
import { storeOn, storeWriter } from "../../src/store.ts";
import { gatewayTraffic, nothingLost } from "../../src/traffic.ts";

/** A store of three whose leader dies, stands still or is cut off at every event of a deploy; and one that lost its quorum. */
let cluster: Cluster;
let rounds: LeaderRounds;
const STRIDE = Number(process.env.PLOYZ_E2E_STRIDE ?? 1);

beforeAll(async () => {
  cluster = await openCluster({ machines: 4 });
  rounds = await leaderRounds(cluster);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const events = () => Array.from({ length: rounds.length }, (_, k) => k).filter((k) => k % STRIDE === 0);

describe.each(Object.values(FATES))("the leader $what", (fate) => {
  it("at events of a deploy from a machine that reaches the others: it ends as if nothing had been", async () => {
    for (const k of events()) expect([0, 5]).toContain(await rounds.round({ fate, k }));
  });
  it("at events of its own deploy: it says what has become of it", async () => {
    for (const k of events()) await rounds.round({ fate, from: "leader", k });
  });
});

it("without a quorum every change fails within its deadline, and everything keeps serving", async () => {
  await using traffic = gatewayTraffic(cluster.lab, "www.example.test", 4);
  await using writing = await storeWriter(cluster, 4);
  const paused = await Promise.all([1, 2].map((i) => FATES.paused.aim(cluster, i)));
  for (const { begin } of paused) await begin();
  const manifest = webManifest({ version: "never", replicas: 2 });
  const file = await Promise.all([3, 4].map((i) => cluster.put(i, manifest, webBundle)));
  const changes = (i: number) => [
    ["deploy", "-f", file[i - 3] ?? ""],
    ["machine", "drain", "m3"],
    ["machine", "storage", "demote", "m2", "m3"],
    ["namespace", "rm", "prod", "--yes"],
    ["secret", "rm", "prod/none"],
    ["machine", "invite", "create", "--ttl", "10m"],
  ];
  for (const i of [3, 4])
    for (const args of changes(i)) {
      const asked = performance.now();
      const { exitCode, stdout } = await cluster.ctl(i, [...args, "--json"], { ok: [0, 1, 2, 3, 4, 5] });
      console.log(`m${i}# ${args.join(" ")}: ${exitCode} after ${Math.round(performance.now() - asked)} ms`);
      expect([exitCode, stdout], args.join(" ")).toEqual([4, expect.stringContaining("store_unavailable")]);
      expect(performance.now() - asked).toBeLessThan(60_000);
    }
  for (const { end } of paused) await end();
  await storeOn(cluster, 4, ["m1", "m2", "m3"]);
  expect((await writing.end()).lost).toEqual([]);
  await nothingLost("without a quorum", traffic);
  const { machines } = await cluster.json<{
    machines: readonly { readonly record: { readonly state: string } }[];
  }>(4, ["machine", "ls"]);
  expect(machines.map(({ record }) => record.state)).toEqual(["active", "active", "active", "active"]);
});
