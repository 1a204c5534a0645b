import type { StoreMoved } from "@ployz/primitives/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../../src/cluster.ts";
import { storeOf, storeOn, storeWriter } from "../../src/store.ts";
import { daemonUp } from "../../src/survive.ts";
import { gatewayTraffic, nothingLost } from "../../src/traffic.ts";

const HOST = "www.example.test";

/** One cluster through its store's whole life: each test begins where the one before it ended. */
let cluster: Cluster;

const moved = (i: number, args: readonly string[], ok: readonly number[] = [0]) =>
  cluster.json<StoreMoved>(i, args, { ok, timeoutMs: 180_000 });
const deploy = async (i: number, version: string, ok: readonly number[] = [0]) => {
  // On m1, which is never cut: this tests the fate of the store.
  const extra = 'constraints = { machines = ["m1"] }\n';
  const file = await cluster.put(i, webManifest({ version, replicas: 2, extra }), webBundle);
  return cluster.ctl(i, ["deploy", "-f", file, "--json"], { ok });
};
const revision = ({ stdout }: { readonly stdout: string }) =>
  (JSON.parse(stdout) as { readonly revision: number }).revision;
const history = async (i: number) =>
  (
    await cluster.json<{ commits: readonly { readonly revision: number }[] }>(i, ["history", "prod"])
  ).commits.map((commit) => commit.revision);
const storeServices = async (i: number) => {
  const { services } = await cluster.json<{ services: readonly { name: string }[] }>(i, ["daemon", "status"]);
  return services.map(({ name }) => name).filter((name) => name.startsWith("ployz-nats"));
};
const serves = async (version: string) =>
  expect((await cluster.get(1, HOST)).body).toContain(`"version":"${version}"`);

beforeAll(async () => {
  cluster = await openCluster({ machines: 3 });
  await deploy(1, "v1");
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("moves from one machine to three under load: no request and no acknowledged write is lost", async () => {
  const status = await cluster.ctl(1, ["status"]);
  expect(status.stdout).toContain("ployzctl machine storage promote --replicas 3 m1 m2 m3");
  const preview = await cluster.ctl(2, [
    "machine",
    "storage",
    "promote",
    "--replicas",
    "3",
    "m1",
    "m2",
    "m3",
    "-n",
  ]);
  expect(preview.stdout).toContain("moves from m1 (generation 1) to m1, m2, m3 (generation 2)");
  for (const args of [
    ["m1", "m2"],
    ["--replicas", "3", "m1", "m2", "m9"],
  ])
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
  expect(
    await moved(1, ["machine", "storage", "promote", "--replicas", "3", "m1", "m2", "m3"]),
  ).toMatchObject({
    changed: false,
  });
});

it("moves to one machine that is not the founder, and the others follow", async () => {
  await using writing = await storeWriter(cluster, 1);
  await cluster.ctl(3, ["machine", "storage", "demote", "m3"], { ok: [3] });
  expect(await moved(3, ["machine", "storage", "demote", "m1", "m3"])).toMatchObject({
    ...{ changed: true, machines: ["m2"], generation: 3, notOpen: [], unaware: [] },
  });
  await storeOn(cluster, 1, ["m2"]);
  await deploy(1, "v6");
  expect((await writing.end()).lost).toEqual([]);
  expect(await storeServices(1)).toEqual([]);
});

it("is backed up, serves, and returns to the backup on request", async () => {
  const before = await history(2);
  await cluster.lab.sh(2, ["sh", "-c", "echo correct horse > /root/pass"]);
  const key = ["--passphrase-file", "/root/pass"];
  await cluster.ctl(1, ["store", "snapshot", "-o", "/root/a.ployz"], { ok: [3] });
  await cluster.ctl(2, ["store", "snapshot", "-o", "/root/a.ployz", ...key]);
  await deploy(1, "v7");
  await cluster.ctl(2, ["store", "restore", "/root/a.ployz", "--yes"], { ok: [3] });
  const refused = await cluster.ctl(2, ["store", "restore", "/root/a.ployz", "--json", ...key], { ok: [3] });
  expect(refused.stdout).toContain("store_newer_than_backup");
  await serves("v7");
  expect(await moved(2, ["store", "restore", "/root/a.ployz", "--yes", ...key])).toMatchObject({
    ...{ changed: true, machines: ["m2"], generation: 4 },
  });
  await storeOn(cluster, 1, ["m2"]);
  await expect.poll(() => history(1), { timeout: 30_000 }).toEqual(before);
  const next = await deploy(3, "v8");
  expect(await history(1)).toEqual([revision(next), ...before]);
  await serves("v8");
});

it("is recovered on a survivor when all that held it is gone, and takes deploys again", async () => {
  await cluster.ctl(3, ["store", "recover", "--yes"], { ok: [3] });
  const [last] = await history(1);
  await cluster.lab.cut(2);
  const preview = await cluster.ctl(3, ["store", "recover", "-n"]);
  expect(preview.stdout).toContain("lost: secrets");
  const done = await moved(3, ["store", "recover", "--yes"]);
  expect(done).toMatchObject({ changed: true, machines: ["m3"], recovery: { commits: last } });
  await storeOn(cluster, 1, ["m3"]);
  await serves("v8");
  // Its other machine is off: what it would have to publish there is owed.
  await deploy(1, "v9", [0, 5]);
  await serves("v9");
});

it("is not opened again by a machine that held it before and comes back", async () => {
  await cluster.lab.on(2);
  await daemonUp(cluster, 2);
  const { generation } = await storeOf(cluster, 3);
  await expect.poll(async () => (await storeOf(cluster, 2)).generation, { timeout: 30_000 }).toBe(generation);
  expect(await storeServices(2)).toEqual([]);
  const next = await deploy(2, "v10");
  expect((await history(3))[0]).toBe(revision(next));
  await serves("v10");
});

it("goes to another machine when the one that holds it is removed, typed there", async () => {
  const preview = await cluster.ctl(3, ["machine", "rm", "m3", "-n"]);
  expect(preview.stdout).toContain("store: m3 -> m1");
  expect(await storeServices(3)).not.toEqual([]);
  const before = await history(2);
  await using traffic = gatewayTraffic(cluster.lab, HOST);
  const removed = await cluster.json<{ readonly state: string }>(3, ["machine", "rm", "m3", "--yes"]);
  expect(removed).toMatchObject({ state: "done", changed: true });
  await storeOn(cluster, 2, ["m1"]);
  expect(await history(2)).toEqual(before);
  await deploy(2, "v11");
  await nothingLost("machine rm of the store's machine", traffic);
  expect(await storeServices(3)).toEqual([]);
});
