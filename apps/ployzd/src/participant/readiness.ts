import { request } from "node:http";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Commands } from "@ployz/primitives/protocol";
import type { Runtime } from "@ployz/runtime";
import { PloyzError } from "../error-codes.ts";

const ATTEMPT_MS = 2_000;
const LOG_LINES = 20;
const LOOK_MS = 150;
const LOG_MS = 5_000;

/** An instance's last log lines. A slow engine log must not hide the reason of the failure. */
export async function lastLines(runtime: Runtime, id: string, tail = LOG_LINES): Promise<readonly string[]> {
  const lines: string[] = [];
  const unread = (why: string) => lines.push(`(cannot read its log: ${why})`);
  const read = async () => {
    try {
      for await (const { line } of runtime.logs(id, { tail })) lines.push(line);
    } catch (error) {
      unread(error instanceof Error ? error.message : String(error));
    }
    return true;
  };
  const whole = await Promise.race([read(), delay(LOG_MS, false, { ref: false })]);
  if (!whole) unread(`no answer within ${LOG_MS} ms`);
  return lines.slice(-tail);
}

/**
 * Waits until a candidate serves, and fails at once when it exited: a crashed candidate does not become ready. There is no event for
 * "answers": polls it, every 15 ms at first and up to 500 ms later.
 */
export async function awaitReady(
  runtime: Runtime,
  args: Commands["instance.ready"]["args"],
  signal: AbortSignal,
): Promise<{ readyMs: number }> {
  const { id, ready } = args;
  const started = performance.now();
  const since = () => performance.now() - started;
  let why: string | undefined;
  let looked = 0;
  for (let pause = 15; ; pause = Math.min(pause * 1.15, 500)) {
    signal.throwIfAborted();
    // Inspecting the instance costs more than probing it.
    if (ready.kind === "running" || since() - looked >= LOOK_MS) {
      await assertUp(runtime, id);
      looked = since();
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
      if (since() >= ready.settleMs) return { readyMs: Math.round(since()) };
      why = `it did not stay up for ${ready.settleMs} ms`;
    } else {
      const port = args.ports[ready.port] ?? 0;
      const answer = await (ready.kind === "http"
        ? askHttp(args.address, port, ready.path, Math.min(ATTEMPT_MS, left))
        : askTcp(args.address, port, Math.min(ATTEMPT_MS, left)));
      if (answer === undefined) {
        await assertUp(runtime, id); // the answer came from this process, not from one that just crashed
        return { readyMs: Math.round(since()) };
      }
      // An attempt cut off by the deadline is less informative than the answer before it.
      if (why === undefined || since() < ready.timeoutMs) why = answer;
    }
    await delay(
      ready.kind === "running" ? Math.min(pause, Math.max(1, ready.settleMs - since())) : pause,
      undefined,
      { signal },
    );
  }
}

async function assertUp(runtime: Runtime, id: string): Promise<void> {
  const { state, restarts = 0, exitCode, oomKilled } = await runtime.inspect(id);
  if (state === "running" && restarts === 0) return;
  const how =
    oomKilled === true
      ? "was killed: out of memory"
      : exitCode === undefined
        ? "ended"
        : `ended with exit code ${exitCode}`;
  throw new PloyzError({
    code: "instance_exited",
    message: `${id} ${how} before it was ready`,
    hint: "see its last log lines",
    details: { exitCode: exitCode ?? null, logs: await lastLines(runtime, id) },
  });
}

/** `undefined`: ready. Otherwise the reason. */
function askHttp(host: string, port: number, path: string, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const asking = request(
      // The option counts from now; a request's `setTimeout` counts only once it is connected, and a crashed instance may drop every
      // packet.
      { host, port, path, agent: false, timeout: timeoutMs, headers: { "user-agent": "ployz-readiness" } },
      (response) => {
        response.resume();
        const { statusCode = 0 } = response;
        resolve(statusCode >= 200 && statusCode < 400 ? undefined : `GET ${path} answered ${statusCode}`);
      },
    );
    asking.on("timeout", () => asking.destroy(new Error(`no answer within ${Math.round(timeoutMs)} ms`)));
    asking.on("error", (error) => resolve(`GET ${path} on port ${port}: ${error.message}`));
    asking.end();
  });
}

function askTcp(host: string, port: number, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (why: string | undefined) => {
      socket.destroy();
      resolve(why);
    };
    socket.setTimeout(timeoutMs, () => end(`port ${port} did not answer`));
    socket.once("connect", () => end(undefined));
    socket.once("error", (error) => end(`port ${port}: ${error.message}`));
  });
}
