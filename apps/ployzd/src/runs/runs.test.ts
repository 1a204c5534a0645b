import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import type { Commit } from "@ployz/primitives/protocol";
import type { Attached, InstanceSpec, Runtime } from "@ployz/runtime";
import { beforeEach, expect, it } from "vitest";
import { openRuns, type RunAsk, type RunDeps } from "./open.ts";

const RUN = "prod.web.run.abcdefgh";
const commit = {
  namespace: "prod",
  services: { web: { spec: { env: { A: "1" }, image: { ref: "web", digest: "sha256:1" }, volumes: {} } } },
  volumes: [{ name: "data", id: "prod.data.x", spec: { scope: "single" } }],
  instances: [
    { id: "prod.web.1.x", service: "web", slot: 1, machine: "m1", address: "10.0.0.2" },
    {
      id: "prod.db.1.x",
      service: "db",
      slot: 1,
      machine: "m1",
      address: "10.0.0.3",
      volumes: { data: "prod.data.x" },
    },
  ],
} as unknown as Commit;
Object.assign(commit.services, { db: { spec: { env: {}, volumes: { data: "/data" } } } });

let dir: string;
let looked: number;
/** One machine's runtime with one run in it, which the test ends. */
function machine() {
  const instances = new Map<string, InstanceSpec>();
  const kept: string[] = [];
  const reserved = new Set<string>();
  let finish: (exitCode: number) => void = () => {};
  const ended = new Promise<{ exitCode: number }>((resolve) => {
    finish = (exitCode) => resolve({ exitCode });
  });
  let leave: (exitCode: number) => void = () => {};
  const runtime: Partial<Runtime> = {
    facts: async () => ({ arch: "amd64" }) as Awaited<ReturnType<Runtime["facts"]>>,
    create: async (spec) => {
      instances.set(spec.id, spec);
      return { id: spec.id, labels: {}, state: "created", identity: "" };
    },
    start: async (id) => ({ id, labels: {}, state: "running", identity: "" }),
    stop: async () => finish(143),
    remove: async (id) => void instances.delete(id),
    inspect: async (id) => ({
      id,
      labels: {},
      state: instances.has(id) ? "running" : "absent",
      identity: "",
    }),
    wait: () => ended,
    async *logs(_id, { follow = false } = {}) {
      yield { time: "2026-01-01T00:00:00Z", stream: "stdout", line: "first" };
      await (follow ? ended : undefined);
      yield { time: "2026-01-01T00:00:01Z", stream: "stderr", line: "last" };
    },
    async attach() {
      const done = new Promise<{ exitCode: number }>((resolve) => {
        leave = (exitCode) => resolve({ exitCode });
      });
      const none = async () => {};
      const streams = { stdin: new PassThrough(), stdout: new PassThrough(), pid: 1 };
      return { ...streams, done, resize: none, signal: none, kill: async () => leave(137) };
    },
  };
  const deps: RunDeps = {
    instances: {
      runtime: runtime as Runtime,
      reservations: {
        reserve: async (id: string) => {
          reserved.add(id);
          return "10.0.0.9";
        },
        release: async (id: string) => void reserved.delete(id),
        all: () => Object.fromEntries([...reserved].map((id) => [id, "10.0.0.9"])),
      },
      secrets: { values: async () => ({}), keep: async () => {}, forget: async () => {} },
      files: { write: async () => [], remove: async () => {} },
      bundles: { path: () => "" },
      volumes: { path: () => "", use: (_instance: object, task: () => Promise<unknown>) => task() },
      endedLogs: { keep: async (id: string) => void kept.push(id) },
      address: "10.0.0.1",
    } as unknown as RunDeps["instances"],
    dir: join(dir, "runs"),
    pause: join(dir, "pause"),
    dnsSocket: join(dir, "dns.sock"),
    heads: () => [commit],
    now: () => new Date(0),
    log: () => {},
  };
  return { instances, kept, reserved, finish: (code: number) => finish(code), runs: openRuns(deps), deps };
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "runs-"));
  looked = 0;
  const server = createServer((_request, response) => {
    looked++;
    response.end("{}");
  });
  await new Promise<void>((resolve) => server.listen(join(dir, "dns.sock"), resolve));
  return async () => {
    server.close();
    await rm(dir, { recursive: true });
  };
});

const ask = (options: Partial<RunAsk>): RunAsk => ({
  ...{ kind: "run", id: "prod.web.1.x", run: RUN, by: "me@here", argv: ["work", "hard"] },
  ...options,
});
const gone = async ({ instances, kept, reserved, deps }: ReturnType<typeof machine>) => {
  await expect.poll(() => instances.size).toBe(0);
  await expect.poll(async () => (await readdir(deps.dir)).length).toBe(0);
  expect([[...reserved], kept]).toEqual([[], [RUN]]);
};

it("a run has the service's spec and no owner, its output and exit code arrive, and nothing stays", async () => {
  const here = machine();
  const attached = await here.runs.start(ask({}));
  expect(here.instances.get(RUN)).toMatchObject({
    ...{ entrypoint: ["work", "hard"], command: [], env: { A: "1" }, address: "10.0.0.9", restart: "no" },
    labels: { namespace: "prod", service: "web", kind: "run" },
  });
  expect(here.instances.get(RUN)?.labels.operation).toBeUndefined();
  expect(looked).toBe(1);
  expect(await here.runs.list()).toMatchObject([{ id: RUN, argv: ["work", "hard"], state: "running" }]);
  here.finish(7);
  const said = [text(attached.stdout), text(attached.stderr ?? new PassThrough().end())];
  expect([await attached.done, ...(await Promise.all(said))]).toEqual([{ exitCode: 7 }, "first\n", "last\n"]);
  await gone(here);
});

it.each<[string, Partial<RunAsk>, boolean]>([
  ["stays when its connection is lost", {}, true],
  ["ends with it where asked", { rm: true }, false],
  ["ends with it when it has input", { interactive: true }, false],
])("a run %s", async (_what, options, stays) => {
  const here = machine();
  const attached: Attached = await here.runs.start(ask(options));
  await attached.kill();
  if (!stays) return gone(here);
  expect((await here.runs.list()).map(({ state }) => state)).toEqual(["running"]);
  expect(await here.runs.stop(RUN)).toBe(true);
  await gone(here);
  expect(await here.runs.stop(RUN)).toBe(false);
});

it.each<[string, Partial<RunAsk>]>([
  ["at its end", {}],
  ["of a terminal", { interactive: true }],
])(
  "a run that is kept stays %s, also for the next daemon, until it is removed by its id",
  async (_what, options) => {
    const here = machine();
    const attached = await here.runs.start(ask({ ...options, keep: true }));
    if (options.interactive === true) await attached.kill();
    else here.finish(7);
    await attached.done;
    const { runtime } = here.deps.instances;
    const inspect: Runtime["inspect"] = async (id) => ({
      ...(await runtime.inspect(id)),
      ...{ state: "exited", exitCode: 7 },
    });
    const stop = async () => {};
    const deps = {
      ...here.deps,
      instances: { ...here.deps.instances, runtime: { ...runtime, inspect, stop } },
    };
    const next = openRuns(deps);
    await next.resume();
    const [kept, ...more] = await next.list();
    expect([kept?.keep, kept?.state, more]).toEqual([true, "ended", []]);
    expect(kept?.exitCode).toBe(options.interactive === true ? undefined : 7);
    expect([here.instances.size, here.kept, here.reserved.size]).toEqual([1, [], 1]);
    expect(await next.stop(RUN)).toBe(true);
    await gone(here);
  },
);

it("the next daemon waits for a run, and removes one that had input", async () => {
  const here = machine();
  await here.runs.start(ask({ detach: true }));
  const next = openRuns(here.deps);
  await next.resume();
  expect(await next.list()).toHaveLength(1);
  here.finish(0);
  await expect.poll(() => here.instances.size).toBe(0);

  const other = machine();
  await other.runs.start(ask({ interactive: true }));
  await openRuns(other.deps).resume();
  await gone(other);
});

it("the next daemon gives back the address of a run that was killed before its record, and of no other instance", async () => {
  const here = machine();
  await here.runs.start(ask({ detach: true }));
  for (const id of ["prod.web.run.killed00", "prod.web.1.x", "run.web.1.x"]) here.reserved.add(id);
  await openRuns(here.deps).resume();
  await expect.poll(() => [...here.reserved].sort()).toEqual([RUN, "prod.web.1.x", "run.web.1.x"].sort());
});

it("the next daemon leaves a run alone that it cannot inspect now", async () => {
  const here = machine();
  await here.runs.start(ask({ detach: true }));
  const { runtime } = here.deps.instances;
  const inspect: Runtime["inspect"] = () => Promise.reject(new Error("EIO"));
  const instances = { ...here.deps.instances, runtime: { ...runtime, inspect } };
  await openRuns({ ...here.deps, instances }).resume();
  expect(here.instances.size).toBe(1);
  here.finish(0);
  await expect.poll(() => here.instances.size).toBe(0);
});

it("a run outlives an engine that does not answer for a moment", async () => {
  const here = machine();
  const { runtime } = here.deps.instances;
  let waits = 0;
  const wait: Runtime["wait"] = async (id, signal) => {
    if (++waits === 1) throw new Error("the engine starts again");
    return runtime.wait(id, signal);
  };
  const instances = { ...here.deps.instances, runtime: { ...runtime, wait } };
  await openRuns({ ...here.deps, instances }).start(ask({ detach: true }));
  await expect.poll(() => waits, { timeout: 3000 }).toBe(2);
  expect([here.instances.size, here.kept]).toEqual([1, []]);
  here.finish(0);
  await gone(here);
});

it("a run whose caller has left with output unread is removed at its end", async () => {
  const here = machine();
  const { runtime } = here.deps.instances;
  let over = false;
  const logs: Runtime["logs"] = async function* () {
    for (let count = 0; count < 100; count++)
      yield { time: `2026-01-01T00:00:00.${1000 + count}Z`, stream: "stdout", line: "x".repeat(10_000) };
    over = true;
  };
  const instances = { ...here.deps.instances, runtime: { ...runtime, logs } };
  const attached = await openRuns({ ...here.deps, instances }).start(ask({}));
  await expect.poll(() => attached.stdout.readableLength).toBeGreaterThan(0);
  expect(over).toBe(false);
  await attached.kill();
  here.finish(0);
  await gone(here);
});

it("a service whose volume has one writer is refused, and nothing stays", async () => {
  const here = machine();
  const refused = here.runs.start(ask({ id: "prod.db.1.x", run: "prod.db.run.abcdefgh" }));
  await expect(refused).rejects.toMatchObject({ code: "volume_in_use" });
  expect([here.instances.size, here.reserved.size, await here.runs.list()]).toEqual([0, 0, []]);
});
