import { setTimeout as delay } from "node:timers/promises";
import { signalProcess } from "@ployz/exec";
import type { OperationDetail } from "@ployz/primitives/protocol";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { daemonOf, supervise } from "../../src/kill.ts";
import { LEDGER, ledgerBundles, ledgerManifest, lost, rowsOf, writer } from "../../src/ledger.ts";
import { collect } from "../../src/random/collector.ts";
import { type Started, started } from "../../src/started.ts";
import { daemonUp, within } from "../../src/survive.ts";
import { watchWriters } from "../../src/writers.ts";

/** Scenes in which several things go wrong at once, with a volume that moves. m3 has the store and coordinates. */
let cluster: Cluster;
/** A ledger that takes its time to start, so that a fault finds it not ready. */
const manifest = (options: Parameters<typeof ledgerManifest>[0] = {}) =>
  ledgerManifest(options).replace(
    /\["[^"]+", "--no-warnings", "server.mjs"\]/,
    (command) => `["sh", "-c", "sleep 4; exec ${JSON.parse(command).join(" ")}"]`,
  );

beforeAll(async () => {
  cluster = await openCluster({ machines: 3, volumes: true });
  for (const text of [manifest({ machine: "m2" }), manifest()])
    await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, text, ledgerBundles)]);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const serves = async (i: number) =>
  (await cluster.get(i, LEDGER, "/rows")).status === 200 ? true : undefined;
interface Operations {
  readonly operations: readonly { readonly operation: string; readonly state: string }[];
}
const operations = async (i: number) => (await cluster.json<Operations>(i, ["ops", "ls"])).operations;
const step = (running: Started, prefix: string, wanted: string) =>
  running.event(
    ({ type, step, state }) => type === "step" && state === wanted && step?.startsWith(prefix) === true,
  );
const settled = async (i: number) =>
  (await operations(i)).every(({ state }) => state === "done" || state === "failed" || state === "aborted")
    ? true
    : undefined;

/** One that has committed, or may still commit, is not told as failed. */
async function wordIsTrue(command: Started): Promise<void> {
  const { exitCode, stdout } = await command.done;
  const { summary } = await cluster.json<OperationDetail>(1, ["ops", "show", await command.operation]);
  console.log(`it said ${exitCode}, and is ${summary.state}, revision ${summary.revision}: ${stdout}`);
  expect(summary.revision === undefined ? [1, 5] : [0, 5]).toContain(exitCode);
}

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

it("the machine of the volume has no power: a stateless service deploys six times, with a warning, and nothing is owed for ever", async () => {
  const { lab } = cluster;
  const { volumes } = await cluster.json<{ volumes: { machine: string }[] }>(1, ["volume", "ls", "prod"]);
  const holder = Number(volumes[0]?.machine.slice(1));
  expect(holder).toBeGreaterThan(1);
  const rows = await rowsOf(cluster, 1);
  await lab.cut(holder);
  for (let n = 1; n <= 6; n++) {
    const began = performance.now();
    const { exitCode, stdout, stderr } = await cluster.ctl(
      1,
      ["deploy", "service", "web", "--namespace", "prod", "-e", `ROUND=${n}`],
      { ok: [0, 3, 5], timeoutMs: 240_000 },
    );
    console.log(
      `deploy ${n}: ${exitCode} after ${Math.round(performance.now() - began)} ms: ${stdout}${stderr}`,
    );
    expect(exitCode).not.toBe(3);
  }
  expect((await cluster.get(1, "www.example.test")).status).toBe(200);
  await lab.on(holder);
  await daemonUp(cluster, holder);
  await within("nothing is owed", 120_000, () => settled(1));
  await within("the ledger serves again", 60_000, () => serves(1));
  expect(lost(rows, await rowsOf(cluster, 1))).toEqual([]);
});

it("the coordinator's daemon is killed, and the same command runs elsewhere while it starts: it is finished once", async () => {
  for (const [afterMs, machine] of [
    [400, 2],
    [1_000, 3],
    [2_000, 2],
  ] as const) {
    const { commits } = await cluster.json<{ commits: unknown[] }>(1, ["history", "prod"]);
    const version = `v${afterMs}`;
    const files = await Promise.all(
      [1, machine].map((i) => cluster.put(i, ledgerManifest({ version }), ledgerBundles)),
    );
    const first = await started(cluster, 1, ["deploy", "-f", files[0] ?? ""]);
    await step(first, "start ", "started");
    await signalProcess(await daemonOf(cluster, 1), "SIGKILL");
    await delay(afterMs);
    let exitCode: number | undefined;
    await within(`the same command on m${machine} ends`, 180_000, async () => {
      ({ exitCode } = await cluster.ctl(machine, ["deploy", "-f", files[1] ?? ""], {
        ok: [0, 1, 3, 4, 5],
        timeoutMs: 180_000,
      }));
      return exitCode === 0 ? true : undefined;
    });
    await first.done;
    await daemonUp(cluster, 1);
    await within("nothing is left of it", 60_000, () => settled(1));
    const after = await cluster.json<{ commits: unknown[] }>(1, ["history", "prod"]);
    await wordIsTrue(first);
    expect(after.commits.length - commits.length).toBe(1);
    for (const i of [1, 2, 3])
      await within(`m${i} serves ${version}`, 30_000, async () =>
        (await cluster.get(i, "www.example.test")).body.includes(version) ? true : undefined,
      );
  }
});

it.each(["comes back", "stays away"])(
  "the coordinator's daemon is killed while a stop-first deploy has the ledger stopped, and %s: requests wait, and none is refused",
  async (how) => {
    const version = how.replace(" ", "-");
    const away = how === "stays away";
    const { volumes } = await cluster.json<{ volumes: { machine: string }[] }>(1, ["volume", "ls", "prod"]);
    expect(volumes[0]?.machine).not.toBe("m1");
    await using requests = collect(cluster, 100, away ? 30_000_000 : 20_000_000);
    await within("rows are written", 20_000, async () => requests.expected().length > 10 || undefined);
    const deploying = await started(cluster, 1, [
      ...["deploy", "-f", await cluster.put(1, manifest({ version }), ledgerBundles)],
    ]);
    await step(deploying, "stop ", "done");
    if (away) await supervise(cluster, 1, "once");
    await signalProcess(await daemonOf(cluster, 1), "SIGKILL");
    const killed = Date.now();
    await within("rows are written again", 90_000, async () =>
      requests.expected().some(({ sentAt }) => sentAt > killed + 1_000) ? true : undefined,
    );
    const { longestMs, failures } = requests.outage();
    console.log(`it ${how}: longest gap ${longestMs} ms`);
    expect(failures).toEqual({});
    if (away) await supervise(cluster, 1, "up");
    await deploying.done;
    await daemonUp(cluster, 1);
    await within("nothing is left of it", 60_000, () => settled(1));
    await wordIsTrue(deploying);
    expect(await rowsOf(cluster, 1)).toEqual(expect.arrayContaining(requests.expected().map(({ n }) => n)));
  },
);

it("all machines lose power in the middle of a migration: one of them has the volume afterwards, with every row", async () => {
  const { lab } = cluster;
  for (const afterMs of [1_000, 2_500, 4_000]) {
    const { volumes } = await cluster.json<{ volumes: { machine: string }[] }>(1, ["volume", "ls", "prod"]);
    const target = volumes[0]?.machine === "m2" ? "m3" : "m2";
    await using watch = watchWriters(cluster, "prod");
    const rows = await rowsOf(cluster, 1);
    const writing = await writer(cluster, 1, LEDGER, 50, 10_000_000 + afterMs * 1_000);
    const moving = await started(cluster, 1, ["migrate", "apply", "prod/ledger", "--to", target]);
    await moving.event(({ type }) => type === "accepted");
    await delay(afterMs);
    const ended = Promise.allSettled([moving.done, writing.end()]); // both lose their machine
    await Promise.all([1, 2, 3].map((i) => lab.cut(i)));
    await ended;
    for (const i of [1, 2, 3]) await lab.on(i);
    for (const i of [1, 2, 3]) await daemonUp(cluster, i);
    await within("the ledger serves again", 60_000, () => serves(1));
    await within("nothing is owed", 120_000, async () => {
      for (const { operation, state } of await operations(1))
        if (state === "interrupted") await cluster.ctl(1, ["ops", "abort", operation], { ok: [0, 1, 5] });
      return settled(1);
    });
    expect(lost(rows, await rowsOf(cluster, 1))).toEqual([]);
    expect(await watch.end()).toEqual([]);
  }
});
