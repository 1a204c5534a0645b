import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle } from "../../src/cluster.ts";

/** Two machines with pools; m1 alone holds the store. */
let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster({ machines: 2, volumes: true });
}, 300_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

interface Schedules {
  readonly schedules: readonly {
    readonly name: string;
    readonly next?: string;
    readonly paused?: object;
    readonly last?: { readonly tick: string; readonly machine: string; readonly state?: string };
    readonly missed: readonly { readonly tick: string; readonly before: number }[];
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
