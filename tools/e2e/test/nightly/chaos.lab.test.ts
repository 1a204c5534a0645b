import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { LEDGER, ledgerBundles, ledgerManifest, lost, rowsOf, writer } from "../../src/ledger.ts";
import { type Started, started } from "../../src/started.ts";
import { daemonUp, within } from "../../src/survive.ts";

/** Scenes in which several things go wrong at once, with a volume that moves. m3 has the store and coordinates. */
let cluster: Cluster;
/** A ledger that takes its time to start, so that a fault finds it not ready. */
const manifest = (machine?: string) =>
  ledgerManifest(machine === undefined ? {} : { machine }).replace(
    /\["[^"]+", "--no-warnings", "server.mjs"\]/,
    (command) => `["sh", "-c", "sleep 4; exec ${JSON.parse(command).join(" ")}"]`,
  );

beforeAll(async () => {
  cluster = await openCluster({ machines: 3, volumes: true });
  for (const text of [manifest("m2"), manifest()])
    await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, text, ledgerBundles)]);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const serves = async (i: number) =>
  (await cluster.get(i, LEDGER, "/rows")).status === 200 ? true : undefined;
const operations = async (i: number) =>
  (await cluster.json<{ operations: { operation: string; state: string }[] }>(i, ["ops", "ls"])).operations;
const step = (running: Started, prefix: string, wanted: string) =>
  running.event(
    ({ type, step, state }) => type === "step" && state === wanted && step?.startsWith(prefix) === true,
  );
const settled = async (i: number) =>
  (await operations(i)).every(({ state }) => state === "done" || state === "failed" || state === "aborted")
    ? true
    : undefined;

it("the target loses power while its program starts: the source serves again, and cleanup ends with its return", async () => {
  const { lab } = cluster;
  await using rows = await writer(cluster, 1, LEDGER, 50);
  const moving = await started(cluster, 1, ["migrate", "apply", "prod/ledger", "--to", "m3"]);
  await step(moving, "start ", "done");
  await lab.cut(3);
  await within("the source serves again", 30_000, () => serves(1));
  const { exitCode, stdout } = await moving.done;
  expect({ exitCode, ...JSON.parse(stdout) }).toMatchObject({ exitCode: 1, changed: false });
  const { acknowledged } = await rows.end();
  expect(lost(acknowledged, await rowsOf(cluster, 1))).toEqual([]);
  await lab.on(3);
  await daemonUp(cluster, 3);
  await within("nothing is owed", 60_000, () => settled(1));
});
