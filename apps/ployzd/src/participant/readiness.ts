import { setTimeout as delay } from "node:timers/promises";
import type { Commands } from "@ployz/primitives/protocol";
import type { Runtime } from "@ployz/runtime";
import { PloyzError } from "../error-codes.ts";
import { probe } from "./probe.ts";

/** Of one question. */
const ATTEMPT_MS = 2_000;
/** Of one run of a program. */
const PROGRAM_MS = 30_000;
const LOG_LINES = 20;
const LOOK_MS = 150;
const LOG_MS = 5_000;
/** Of one line: all of them have to fit into an error, which is one message. */
const LOG_CHARS = 2_000;

/** An instance's last log lines. A slow engine log must not hide the reason of the failure. */
export async function lastLines(runtime: Runtime, id: string, tail = LOG_LINES): Promise<readonly string[]> {
  const lines: string[] = [];
  const leaving = AbortSignal.timeout(LOG_MS);
  const unread = (why: string) => lines.push(`(cannot read its log: ${why})`);
  const read = async () => {
    try {
      for await (const { line } of runtime.logs(id, { tail, signal: leaving }))
        lines.push(line.slice(0, LOG_CHARS));
    } catch (error) {
      unread(error instanceof Error ? error.message : String(error));
    }
    return true;
  };
  const whole = await Promise.race([read(), delay(LOG_MS, false, { ref: false })]);
  if (!whole || leaving.aborted) unread(`no answer within ${LOG_MS} ms`);
  return lines.slice(-tail);
}

/**
 * Waits until a candidate serves, and fails at once when its program has ended since the start, also when it was restarted. There is no
 * event for "answers": polls it, every 15 ms at first and up to 500 ms later.
 */
export async function awaitReady(
  runtime: Runtime,
  args: Commands["instance.ready"]["args"],
  signal: AbortSignal,
): Promise<{ readyMs: number }> {
  const { id, ready } = args;
  const started = performance.now();
  const since = () => performance.now() - started;
  const look = firstLife(runtime, id);
  let why: string | undefined;
  let looked = 0;
  let settling: number | undefined;
  for (let pause = 15; ; pause = Math.min(pause * 1.15, 500)) {
    signal.throwIfAborted();
    const now = since();
    // Inspecting the instance costs more than probing it.
    if (ready.kind === "running" || now - looked >= LOOK_MS) {
      const alive = await look();
      looked = since();
      settling = alive ? (settling ?? looked) : undefined;
    }
    const left = ready.timeoutMs - since();
    if (left <= 0) {
      throw new PloyzError({
        code: "not_ready",
        message: `${id} was not ready within ${ready.timeoutMs} ms: ${why ?? "it did not answer"}`,
        hint: "see its last log lines, or raise ready.timeout in the manifest",
        details: { logs: await lastLines(runtime, id) },
      });
    }
    if (ready.kind === "running") {
      // Counted up to before the look: a daemon that was held up in between has not seen the instance since.
      if (settling !== undefined && now - settling >= ready.settleMs) return { readyMs: Math.round(since()) };
      why = `it did not run for ${ready.settleMs} ms`;
    } else {
      const ms = Math.min(ready.kind === "exec" ? PROGRAM_MS : ATTEMPT_MS, left);
      const answer = await probe(runtime, { ...args, probe: ready }, { ms, signal });
      // The answer came from this process, not from one that just ended.
      if (answer === undefined && (await look())) return { readyMs: Math.round(since()) };
      // An attempt cut off by the deadline is less informative than the answer before it.
      if (answer !== undefined && (why === undefined || since() < ready.timeoutMs)) why = answer;
    }
    const settled =
      settling === undefined || ready.kind !== "running" ? pause : settling + ready.settleMs - since();
    await delay(Math.min(pause, Math.max(1, settled)), undefined, { signal });
  }
}

/**
 * Looks at the life that the start began: `true` while its program runs, `false` when it cannot be seen at the moment. Restarts alone do not
 * tell: they are counted when the next life begins, after a back-off. @throws PloyzError `instance_exited` once it has ended.
 */
function firstLife(runtime: Runtime, id: string): () => Promise<boolean> {
  let first: string | undefined;
  return async () => {
    const { state, restarts = 0, exitCode, oomKilled, pid, startedAt } = await runtime.inspect(id);
    const same = startedAt === undefined || first === undefined || startedAt === first;
    first ??= startedAt;
    if (state === "running" && restarts === 0 && exitCode === undefined && same) return pid !== undefined;
    const how = exitCode === undefined ? "ended" : `ended with exit code ${exitCode}`;
    throw new PloyzError({
      code: "instance_exited",
      message: `${id} ${oomKilled === true ? "was killed: out of memory" : how} before it was ready`,
      hint: "see its last log lines",
      details: { exitCode: exitCode ?? null, logs: await lastLines(runtime, id) },
    });
  };
}
