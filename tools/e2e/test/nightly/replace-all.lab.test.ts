import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { ledgerBundles, ledgerManifest, lost, rowsOf, writer } from "../../src/ledger.ts";
import { leftovers } from "../../src/leftovers.ts";
import { storeOf, storeOn } from "../../src/store.ts";
import { HOST } from "../../src/survive.ts";
import { gatewayTraffic, nothingLost } from "../../src/traffic.ts";

/** Five machines, the founder first, give their places to five others, under load, until none of the first is left. */
let cluster: Cluster;
const ADD = ["--identity", "/root/.ssh/id_ed25519", "--accept-new-host-key"];
const FIRST = [1, 2, 3, 4, 5];
const acknowledged: number[] = [];

beforeAll(async () => {
  cluster = await openCluster({ machines: 10, members: 5, volumes: true });
  // The operator's key; the founder has it.
  const { stdout: key } = await cluster.lab.sh(1, ["cat", "/root/.ssh/id_ed25519"]);
  const take = "umask 077; mkdir -p /root/.ssh; cat > /root/.ssh/id_ed25519";
  await Promise.all(FIRST.map((i) => cluster.lab.sh(i + 1, ["sh", "-c", take], { input: key })));
  await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, ledgerManifest(), ledgerBundles)]);
  await cluster.ctl(1, ["machine", "storage", "promote", "--replicas", "3", "m1", "m2", "m3"]);
  await storeOn(cluster, 1, ["m1", "m2", "m3"]);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it.each(FIRST)("m%i", async (leaving) => {
  const coming = leaving + 5;
  const stays = leaving + 1;
  await cluster.ctl(stays, ["machine", "add", `root@m${coming}`, ...ADD, "--zfs-root", "tank/ployz"], {
    timeoutMs: 180_000,
  });
  await using traffic = gatewayTraffic(cluster.lab, HOST, stays);
  await using writing = await writer(cluster, stays, undefined, 10, leaving * 1_000_000);
  const removed = await cluster.json<{ readonly state: string; readonly output: { cleaned?: boolean } }>(
    leaving,
    ["machine", "rm", `m${leaving}`, "--yes"],
    { timeoutMs: 300_000 },
  );
  expect(removed).toMatchObject({ state: "done" });
  const { longestGapMs, ...written } = await writing.end();
  console.log(`m${leaving} is gone: ${written.acknowledged.length} rows, longest gap ${longestGapMs} ms`);
  expect(written.failures).toEqual([]);
  acknowledged.push(...written.acknowledged);
  expect(lost(acknowledged, await rowsOf(cluster, stays))).toEqual([]);
  await nothingLost(`machine rm m${leaving}`, traffic);
  const store = await storeOf(cluster, stays);
  expect(store).toMatchObject({ state: "open", quorum: { size: 3 } });
  expect(store.machines.map(({ id }) => id)).not.toContain(`m${leaving}`);
  await cluster.ctl(leaving, ["daemon", "uninstall", "--purge"]);
  expect(await leftovers(cluster, leaving)).toEqual([]);
});

it("none of the first five is left, and their workloads keep running", async () => {
  const { machines } = await cluster.json<{ machines: readonly { record: { id: string } }[] }>(8, [
    "machine",
    "ls",
  ]);
  expect(machines.map(({ record }) => record.id).sort()).toEqual(["m10", "m6", "m7", "m8", "m9"]);
  await cluster.ctl(9, [
    "deploy",
    "-f",
    await cluster.put(9, ledgerManifest({ version: "v2" }), ledgerBundles),
  ]);
  expect(lost(acknowledged, await rowsOf(cluster, 7))).toEqual([]);
});
