import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunningProgram, spawnStream } from "@ployz/exec";
import type { Commit, Liveness } from "@ployz/primitives/protocol";
import { emptyCommit } from "@ployz/primitives/protocol";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { openHangs } from "../state/hangs.ts";
import { watchLiveness } from "./liveness.ts";

let dir: string;
const children: RunningProgram[] = [];
const stop: AbortController[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployz-liveness-"));
});
afterEach(async () => {
  for (const one of stop.splice(0)) one.abort();
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(dir, { recursive: true, force: true });
});

const liveness: Liveness = {
  ...{ probe: { kind: "exec", argv: ["ask"] }, everyMs: 20, timeoutMs: 100, failures: 3 },
};

/** An instance as a real program, whose supervisor starts it again; `answers` says what each question gets. */
async function open(options: { readyMs?: number; trap?: boolean; machine?: string; before?: number } = {}) {
  let restarts = 0;
  let life: { child: RunningProgram; startedAt: string } | undefined;
  const begin = () => {
    const script = options.trap ? "trap '' TERM; while :; do sleep 0.02; done" : "exec sleep 1000";
    const child = spawnStream("/bin/sh", ["-c", script]);
    children.push(child);
    life = { child, startedAt: `life ${restarts}` };
    child.stdin.end();
    child.stdout.resume();
    const next = () => {
      if (end.signal.aborted) return;
      restarts += 1;
      begin();
    };
    child.done.then(next, next);
  };
  const end = new AbortController();
  stop.push(end);
  begin();
  const state = { answer: true, stopped: false, asked: 0 };
  const empty = emptyCommit({ namespace: "a", operation: "o", primitive: "deploy", at: "", by: "" });
  const spec = {
    ...{ env: {}, after: [], stopGraceMs: 150, placement: { kind: "replicas" as const, count: 1 } },
    ...{ ports: {}, drainMs: 0, update: "start-first" as const, volumes: {}, routes: [], liveness },
    ready: { kind: "tcp" as const, port: "p", timeoutMs: options.readyMs ?? 0 },
  };
  const instance = {
    ...{ id: "a.web.0.x", service: "web", slot: 0, machine: options.machine ?? "m1", address: "10.0.0.1" },
    ...{ ports: {}, revision: "r" },
  };
  const heads: Commit[] = [{ ...empty, services: { web: { revision: "r", spec } }, instances: [instance] }];
  const hangs = await openHangs(join(dir, "hangs.json"), () => new Date(0));
  const failures: unknown[] = [];
  let changed = () => undefined as void;
  const watching = watchLiveness({
    ...{ self: "m1", hangs, signal: end.signal, heads: () => heads },
    stopped: { has: () => state.stopped },
    onHeads(listener) {
      changed = listener;
      return () => undefined;
    },
    log() {},
    failed: (error) => failures.push(error),
    runtime: {
      inspect: async (id) => ({
        ...{ id, labels: {}, state: "running", identity: "", restarts },
        ...(life?.child.pid !== undefined && { pid: life.child.pid, startedAt: life.startedAt }),
      }),
      exec: async () => {
        state.asked += 1;
        return { exitCode: state.answer ? 0 : 1, stdout: "", stderr: "hung" };
      },
    },
  });
  return {
    ...{ state, hangs, watching, end, failures, heads },
    restarts: () => restarts,
    change: () => changed(),
    asked: (more: number) => {
      const from = state.asked;
      return vi.waitFor(() => expect(state.asked).toBeGreaterThanOrEqual(from + more), { timeout: 5_000 });
    },
  };
}

it("restarts a program that was ready and hangs, counts it with the reason, and leaves it alone once it answers", async () => {
  const one = await open();
  await one.asked(2);
  expect(one.restarts()).toBe(0);
  one.state.answer = false;
  await vi.waitFor(() => expect(one.restarts()).toBeGreaterThan(0), { timeout: 5_000 });
  one.state.answer = true;
  await one.asked(2);
  const restarts = one.restarts();
  expect(one.hangs.of("a.web.0.x", restarts)).toEqual({
    ...{ count: restarts, at: "1970-01-01T00:00:00.000Z" },
    why: "ask ended with exit code 1: hung",
  });
  await one.asked(6);
  expect(one.restarts()).toBe(restarts);
  expect(one.failures).toEqual([]);
});

it("kills a program that ignores the stop signal after its grace", async () => {
  const one = await open({ trap: true });
  await one.asked(1);
  one.state.answer = false;
  await vi.waitFor(() => expect(one.restarts()).toBe(1), { timeout: 5_000 });
});

it("does not touch a program that was never ready within its start time, one that an operation stopped, nor another machine's", async () => {
  const starting = await open({ readyMs: 60_000 });
  starting.state.answer = false;
  await starting.asked(8);
  expect(starting.restarts()).toBe(0);
  const stopped = await open();
  await stopped.asked(1);
  stopped.state.answer = false;
  stopped.state.stopped = true;
  const elsewhere = await open({ machine: "m2" });
  await starting.asked(6);
  expect([stopped.restarts(), elsewhere.restarts(), elsewhere.state.asked]).toEqual([0, 0, 0]);
});

it("counts a bad answer once the start time is over, and asks no more when the commit has no such instance", async () => {
  const one = await open({ readyMs: 1 });
  one.state.answer = false;
  await vi.waitFor(() => expect(one.restarts()).toBeGreaterThan(0), { timeout: 5_000 });
  one.heads.splice(0);
  one.change();
  await vi.waitFor(() => expect(one.hangs.of("a.web.0.x", 99)).toBeUndefined());
  one.end.abort();
  await one.watching;
});

it("keeps its counts over a restart of the daemon, and forgets them when the instance was started again", async () => {
  const path = join(dir, "kept.json");
  await (await openHangs(path, () => new Date(0))).add("a", "why", 4);
  const again = await openHangs(path, () => new Date(1));
  expect(again.of("a", 5)?.count).toBe(1);
  expect((await again.add("a", "again", 5)).count).toBe(2);
  expect(again.of("a", 0)).toBeUndefined();
  expect((await again.add("a", "later", 0)).count).toBe(1);
});
