import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle } from "../../src/cluster.ts";
import { daemonStatus } from "../../src/survive.ts";

/** Three machines that hold the store. */
let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster({ machines: 3 });
  await cluster.ctl(1, ["machine", "storage", "promote", "--replicas", "3", "m1", "m2", "m3"]);
}, 600_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

interface Schedules {
  readonly schedules: readonly {
    readonly name: string;
    readonly next?: string;
    readonly paused?: object;
    readonly last?: { readonly tick: string; readonly machine: string; readonly state?: string };
    readonly missed: readonly { readonly tick: string; readonly why: string; readonly before: number }[];
  }[];
}

const MANIFEST = `namespace = "prod"
[jobs.beat]
bundle = "./jobs"
command = ["sh", "-c", "echo beat"]
schedule = { every = "3s", deadline = "30s" }

[jobs.broken]
bundle = "./jobs"
command = ["sh", "-c", "exit 7"]
schedule = { cron = "* * * * *" }
`;
const schedule = async (name: string, i = 1) =>
  (await cluster.json<Schedules>(i, ["schedule", "ls", "prod"])).schedules.find((row) => row.name === name);
/** Runs of the operation log, oldest first: the ticks that they ran for. */
const runs = async () => {
  const { operations } = await cluster.json<{
    operations: readonly { readonly by: string; readonly state: string; readonly operation: string }[];
  }>(1, ["ops", "ls", "--limit", "1000"]);
  return operations.filter(({ by }) => by === "schedule prod/beat");
};

it("jobs run at their times, each tick once, also when the daemon of a machine is away", async () => {
  const path = await cluster.put(1, MANIFEST, { jobs: webBundle.web });
  await cluster.ctl(1, ["deploy", "-f", path]);
  await expect
    .poll(async () => (await schedule("beat"))?.last, { timeout: 60_000, interval: 500 })
    .toMatchObject({ state: "done" }); // else its error is shown
  await cluster.ctl(2, ["daemon", "stop"]);
  const before = Date.parse((await schedule("beat"))?.last?.tick ?? "");
  await expect
    .poll(async () => Date.parse((await schedule("beat"))?.last?.tick ?? "") - before, {
      timeout: 60_000,
      interval: 1000,
    })
    .toBeGreaterThan(9_000);
  await cluster.ctl(2, ["daemon", "start"]);
  await cluster.ctl(1, ["schedule", "pause", "prod/beat"]);
  expect(await schedule("beat")).toMatchObject({ paused: { by: expect.any(String) } });
  const paused = (await schedule("beat"))?.last?.tick;
  const all = await runs();
  expect(all.length).toBeGreaterThan(3);
  expect(new Set(all.map(({ operation }) => operation)).size).toBe(all.length);
  // Each run of the log is a tick of its own: runs and misses together are all ticks.
  const first = await cluster.json<{ schedule?: object }>(1, ["schedule", "show", "prod/beat"]);
  expect(first).toMatchObject({ kind: "schedule", name: "beat" });
  await cluster.ctl(1, ["schedule", "run", "prod/beat"]);
  expect((await schedule("beat"))?.last?.tick).toBe(paused);
  await cluster.ctl(1, ["schedule", "resume", "prod/beat"]);
  await expect
    .poll(async () => (await schedule("beat"))?.last?.tick, { timeout: 30_000, interval: 500 })
    .not.toBe(paused);
}, 300_000);

it("a run that fails says so, and a wrong schedule is refused with its field", async () => {
  const { exitCode, stderr } = await cluster.ctl(1, ["schedule", "run", "prod/broken"], { ok: [1] });
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining("7")]);
  const wrong = MANIFEST.replace('cron = "* * * * *"', 'cron = "* * * * *", timezone = "Mars/Phobos"');
  const refused = await cluster.ctl(
    1,
    ["deploy", "-n", "-f", await cluster.put(1, wrong, { jobs: webBundle.web })],
    {
      ok: [2],
    },
  );
  expect(refused.stderr).toContain("jobs.broken.schedule.timezone");
  expect((await cluster.ctl(1, ["schedule", "show", "prod/nope"], { ok: [3] })).stderr).toContain("broken");
}, 120_000);

type Row = Schedules["schedules"][number];

/** `beat` of a namespace, seen from machine `i`. */
const beatOf = async (namespace: string, i: number): Promise<Row | undefined> =>
  (await cluster.json<Schedules>(i, ["schedule", "ls", namespace])).schedules.find(
    ({ name }) => name === "beat",
  );

/** Waits until a tick after this time has run. */
const ranAfter = (namespace: string, i: number, until: number) =>
  expect
    .poll(async () => Date.parse((await beatOf(namespace, i).catch(() => undefined))?.last?.tick ?? ""), {
      timeout: 240_000,
      interval: 1_000,
    })
    .toBeGreaterThan(until);

/** Runs and misses of a paused schedule are together all its ticks, from its first run on. Resolves with the number of ticks. */
async function accountFor(namespace: string, i: number, everyMs: number): Promise<number> {
  // Runs of a machine that was away are known by now.
  const { operations } = await cluster.json<{
    operations: readonly { readonly by: string; readonly operation: string; readonly startedAt: string }[];
  }>(i, ["ops", "ls", "--limit", "1000"]);
  const ran = operations.filter(({ by }) => by === `schedule ${namespace}/beat`);
  const row = await beatOf(namespace, i);
  const entries = row?.missed ?? [];
  const started = Date.parse(ran.map(({ startedAt }) => startedAt).sort()[0] ?? "");
  // The first ticks may be missed themselves, also those whose machine claimed them and reported nothing.
  const missedSince = entries.map(({ tick, before }) => Date.parse(tick) - before * everyMs);
  const began = Math.min(Math.floor(started / everyMs) * everyMs, ...missedSince);
  // And the last ones.
  const until = Math.max(...[row?.last, ...entries].map((one) => Date.parse(one?.tick ?? "")));
  const ticks = (until - began) / everyMs + 1;
  // Older ones are forgotten, and could not be counted.
  expect(entries.length).toBeLessThan(10);
  const sum = (all: Row["missed"]) => all.reduce((total, { before }) => total + 1 + before, 0);
  const certain = sum(entries.filter(({ why }) => why !== "lost"));
  console.log(
    `${ticks} ticks: ${ran.length} runs, the last of ${row?.last?.tick}, ${sum(entries)} missed: ${JSON.stringify(entries)}`,
  );
  // One whose machine died may have run.
  expect(ran.length + certain).toBeLessThanOrEqual(ticks);
  expect(ran.length + sum(entries)).toBeGreaterThanOrEqual(ticks);
  expect(ran.length).toBeGreaterThan(ticks / 5);
  return ticks;
}

const beside = (machine: number) => (machine % 3) + 1;
const beatManifest = (namespace: string, every: string) =>
  MANIFEST.slice(0, MANIFEST.indexOf("[jobs.broken]"))
    .replace('"prod"', JSON.stringify(namespace))
    .replace('"3s"', JSON.stringify(every));

it("each tick runs once or is reported as missed, while the machine that fires is killed, paused and cut off", async () => {
  await cluster.ctl(1, [
    "deploy",
    "-f",
    await cluster.put(1, beatManifest("many", "3s"), { jobs: webBundle.web }),
  ]);
  const settled = (i: number, afterMs: number) => ranAfter("many", i, Date.now() + afterMs);
  await settled(1, 0);
  const firing = async (i: number) => Number((await beatOf("many", i))?.last?.machine.slice(1));
  let asked = 1;

  const killed = await firing(asked);
  const { pid } = await daemonStatus(cluster, killed);
  await cluster.lab.sh(killed, ["kill", "-9", String(pid)]);
  asked = beside(killed);
  await settled(asked, 15_000);

  const paused = await firing(asked);
  await cluster.lab.pause(paused);
  asked = beside(paused);
  await settled(asked, 15_000);
  await cluster.lab.resume(paused);

  const cut = await firing(asked);
  for (const other of [1, 2, 3]) if (other !== cut) await cluster.lab.partition(cut, other);
  asked = beside(cut);
  await settled(asked, 15_000);
  await cluster.lab.heal();
  await settled(asked, 20_000);

  await cluster.ctl(asked, ["schedule", "pause", "many/beat"]);
  await accountFor("many", asked, 3_000);
}, 900_000);

it("300 ticks of a second, while one machine is cut off and another is paused: each runs once or is reported", async () => {
  await cluster.ctl(1, [
    "deploy",
    "-f",
    // Waiting ticks are one kind of miss: two kinds in turn would fill the record's ten entries.
    await cluster.put(
      1,
      beatManifest("fast", "1s").replace('deadline = "30s"', 'deadline = "30s", overlap = "wait"'),
      {
        jobs: webBundle.web,
      },
    ),
  ]);
  await ranAfter("fast", 1, Date.now());
  const began = Date.now();
  const cut = Number((await beatOf("fast", 1))?.last?.machine.slice(1));
  const paused = beside(cut);
  const asked = beside(paused);
  for (const other of [paused, asked]) await cluster.lab.partition(cut, other);
  await ranAfter("fast", asked, Date.now() + 40_000);
  // Two of three are away: no tick is decided, and all are reported later.
  await cluster.lab.pause(paused);
  const until = Date.now() + 20_000;
  await expect.poll(() => Date.now(), { timeout: 30_000, interval: 1_000 }).toBeGreaterThan(until);
  await cluster.lab.heal();
  await ranAfter("fast", asked, Date.now() + 30_000);
  await cluster.lab.resume(paused);
  await ranAfter("fast", asked, began + 300_000);
  await cluster.ctl(asked, ["schedule", "pause", "fast/beat"]);
  expect(await accountFor("fast", asked, 1_000)).toBeGreaterThanOrEqual(300);
}, 1_200_000);
