import { setTimeout as delay } from "node:timers/promises";
import { signalProcess } from "@ployz/exec";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../../src/cluster.ts";
import { daemonOf } from "../../src/kill.ts";
import { ANY } from "../../src/random/commands.ts";
import { lies, truthOf } from "../../src/random/truth.ts";
import { started } from "../../src/started.ts";
import { storeOf, storeOn, storeWriter } from "../../src/store.ts";
import { daemonUp, within } from "../../src/survive.ts";

/** Scenes of a store that moves, with other things at once. m4 never holds it. */
let cluster: Cluster;
let version = 0;
const LONG = { timeoutMs: 240_000 };
const THREE = ["m1", "m2", "m3"];
const promote = (...machines: readonly string[]) => [
  ...["machine", "storage", "promote", "--replicas", String(machines.length), ...machines],
];

beforeAll(async () => {
  cluster = await openCluster({ machines: 4 });
  expect(await deploy(1)).toBe(0);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

async function word(i: number) {
  const manifest = webManifest({ version: `v${++version}`, replicas: 1 });
  const file = await cluster.put(i, manifest, webBundle);
  const args = ["deploy", "-f", file, "--json"];
  const { exitCode, stdout, stderr } = await cluster.ctl(i, args, { ok: ANY, ...LONG });
  const document = JSON.parse(stdout);
  const operation: string | undefined = document.operation ?? document.error?.operationId;
  return { line: `m${i} deploys v${version}`, exitCode, document, stderr, operation };
}
const deploy = async (i: number) => (await word(i)).exitCode;
const serves = (i: number) =>
  within(`m${i} serves v${version}`, 60_000, async () =>
    (await cluster.get(i, "www.example.test")).body.includes(`"v${version}"`) ? true : undefined,
  );

it("Ctrl-C of a move says that it goes to its end, and it does", async () => {
  const running = await started(cluster, 2, promote(...THREE));
  await running.event(({ type }) => type === "step");
  await running.signal("SIGINT");
  const { exitCode, stdout } = await running.done;
  expect({ exitCode, ...JSON.parse(stdout) }).toMatchObject({ exitCode: 0, kind: "store-moved" });
  await storeOn(cluster, 4, THREE);
});

it("two store machines do not hear each other, and the third hears both: every word is true, and healing is enough", async () => {
  await using writing = await storeWriter(cluster, 4);
  await cluster.lab.partition(1, 2);
  await delay(20_000); // until the sessions between them are given up
  const words: Awaited<ReturnType<typeof word>>[] = [];
  for (const i of [3, 4, 1, 2]) {
    const began = performance.now();
    words.push(await word(i));
    console.log(`m${i} deploys: ${words.at(-1)?.exitCode} after ${Math.round(performance.now() - began)} ms`);
  }
  // nats-server elects without asking first whether the others hear a leader: the two may depose each other in turns. A command that
  // finds no leader when it begins has changed nothing, which is exit code 4; one that loses it in the middle is 5.
  for (const { exitCode } of words) expect([0, 4, 5]).toContain(exitCode);
  await cluster.lab.heal();
  await within("m4 deploys", 120_000, async () => ((await deploy(4)) === 0 ? true : undefined));
  for (const i of [1, 2, 3, 4]) await serves(i);
  for (const said of words) expect(lies(said, await truthOf(cluster, said))).toEqual([]);
  expect((await writing.end()).lost).toEqual([]);
});

it.each([800, 1_600, 3_200])(
  "a recovery %i ms after a move began, its coordinator killed: refused, or one generation, and nothing lost",
  async (afterMs) => {
    const { machines } = await storeOf(cluster, 4);
    const to = machines.length === 3 ? ["m1"] : THREE;
    const writing = await storeWriter(cluster, 4);
    const moving = await started(cluster, 2, promote(...to));
    await moving.event(({ type }) => type === "step");
    await delay(afterMs);
    await signalProcess(await daemonOf(cluster, 2), "SIGKILL");
    const { exitCode, stdout, stderr } = await cluster.ctl(3, ["store", "recover", "--yes"], {
      ok: [0, 1, 3, 4],
      ...LONG,
    });
    console.log(`the recovery: ${exitCode} ${(stdout + stderr).slice(0, 400)}`);
    await moving.done;
    await daemonUp(cluster, 2);
    if (exitCode !== 0) await cluster.ctl(4, promote(...to), LONG);
    const generations = new Set<number>();
    await within("all machines know one generation", 60_000, async () => {
      generations.clear();
      for (const i of [1, 2, 3, 4]) generations.add((await storeOf(cluster, i)).generation);
      return generations.size === 1 ? true : undefined;
    });
    await within("m4 deploys", 120_000, async () => ((await deploy(4)) === 0 ? true : undefined));
    const { acknowledged, lost } = await writing.end();
    console.log(`${acknowledged} writes acknowledged, ${lost.length} lost`);
    // A recovery may lose what its plan names; a refused one loses nothing.
    if (exitCode !== 0) expect(lost).toEqual([]);
  },
);
