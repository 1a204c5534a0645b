import type { ExecResult, Runtime } from "@ployz/runtime";
import { expect, it } from "vitest";
import { awaitReady } from "./readiness.ts";

/** An instance that runs, and answers a program with these results, the last one again and again. */
function runtimeWith(...results: readonly (Partial<ExecResult> | Error)[]) {
  const ran: (readonly string[])[] = [];
  const runtime: Partial<Runtime> = {
    inspect: async (id) => ({ id, labels: {}, state: "running", identity: "x", pid: 1, restarts: 0 }),
    async *logs() {
      yield { time: "", stream: "stdout", line: "still starting" };
    },
    async exec(_id, argv, { timeoutMs = 0 } = {}) {
      // A program is started with a whole number of milliseconds only.
      expect(Number.isInteger(timeoutMs) && timeoutMs > 0).toBe(true);
      const result = results[Math.min(ran.length, results.length - 1)];
      ran.push(argv);
      if (result instanceof Error) throw result;
      return { exitCode: 0, stdout: "", stderr: "", ...result };
    },
  };
  return { ran, runtime: runtime as Runtime };
}
const ready = (runtime: Runtime, timeoutMs: number) =>
  awaitReady(
    runtime,
    { id: "a", address: "10.0.0.1", ports: {}, ready: { kind: "exec", argv: ["check", "it"], timeoutMs } },
    new AbortController().signal,
  );

it("a program makes an instance ready when it ends with exit code 0, however often it failed before", async () => {
  const { ran, runtime } = runtimeWith(new Error("not yet there"), { exitCode: 2 }, {});
  await ready(runtime, 10_000);
  expect(ran).toEqual([
    ["check", "it"],
    ["check", "it"],
    ["check", "it"],
  ]);
});

it("the last failure of the program is the reason when time is up", async () => {
  const { runtime } = runtimeWith({ exitCode: 1, stderr: "no connection\nmore\n" });
  await expect(ready(runtime, 200)).rejects.toMatchObject({
    code: "not_ready",
    message: expect.stringContaining("check it ended with exit code 1: no connection"),
    details: { logs: ["still starting"] },
  });
});
