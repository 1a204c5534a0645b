import { expect, test } from "vitest";
import { checkPrimitive } from "../testing/harness/check.ts";
import { apply, deploy, emptyWorld, headOf, inspect, type World } from "../testing/scenarios/change.ts";
import { jobRun } from "./index.ts";

const JOB = `[jobs.report]
bundle = "./report"
command = ["report"]
schedule = { cron = "0 3 * * *" }
`;
const WEB = `[services.web]
bundle = "./web"
command = ["web"]
`;
const input = { namespace: "prod", job: "report" };

async function world(toml = WEB + JOB): Promise<World> {
  const made = await emptyWorld();
  expect(await deploy(made, toml)).toMatchObject({
    state: "done",
    output: { jobs: [{ name: "report", action: "skip", scheduled: true }] },
  });
  return made;
}
const running = async ({ ports }: World) => (await ports.store.facts.list("running")).map(({ key }) => key);

test("a job with a schedule does not run in a deploy, and runs by itself without a commit of the namespace", async () => {
  const made = await world();
  const before = await headOf(made);
  expect(before.jobs.report?.spec.schedule).toMatchObject({ cron: "0 3 * * *", timezone: "UTC" });
  expect(await apply(made, jobRun, input)).toMatchObject({
    state: "done",
    output: { kind: "job-run", job: "report" },
  });
  expect(await headOf(made)).toEqual(before);
  expect(await running(made)).toEqual([]);
  expect(await inspect(made)).toMatchObject({ runs: [expect.stringMatching(/^prod\.web\.1 /)] });
});

test("a job that fails is undone whole, and the operation has its exit code", async () => {
  const made = await world(`${JOB}env = { FAIL = "job" }\n`);
  expect(await apply(made, jobRun, input)).toMatchObject({
    state: "failed",
    error: { code: "job_failed", details: { exitCode: 3 } },
  });
  expect(await running(made)).toEqual([]);
  expect(await inspect(made)).toMatchObject({ runs: [], reserved: [] });
});

test("an unknown job is refused with the names there are", async () => {
  expect(await apply(await world(), jobRun, { ...input, job: "reprot" })).toMatchObject({
    kind: "refused",
    refusals: [{ code: "no_such_service" }],
  });
});

test("a job that runs by itself is no leftover to a deploy", async () => {
  const made = await world();
  const { ports, memory } = made;
  const id = "prod.report.1.aaaaaaaa";
  const options = {
    ...{ timeoutMs: 1000, signal: new AbortController().signal },
    fence: { scope: "job.prod.report", generation: 1, revision: 1 },
  };
  const { address } = await ports.machines.call("m1", "instance.reserve", { id }, options);
  const one = { id, service: "report", slot: 1, machine: "m1", address, ports: {}, ready: false };
  await ports.store.facts.put("running.prod.report", { operation: "x", leaving: [], instances: [one] }, 0);
  const start = {
    ...{ id, namespace: "prod", service: "report", slot: 1, revision: "r", operation: "x", address },
    ...{ kind: "job" as const, env: {}, stopGraceMs: 0 },
  };
  await ports.machines.call("m1", "instance.start", start, options);
  expect(await deploy(made, WEB.replace('["web"]', '["web", "v2"]') + JOB)).toMatchObject({ state: "done" });
  expect(memory.machine("m1").instances.has(id)).toBe(true);
});

test("it survives every fault", { timeout: 400_000 }, async () => {
  const violations = await checkPrimitive(
    {
      primitive: jobRun,
      input,
      world,
      inspect: async (made) => ({ state: await inspect(made), running: await running(made) }),
    },
    { every: 3 },
  );
  expect(violations).toEqual([]);
});
