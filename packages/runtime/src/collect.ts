import { setTimeout as delay } from "node:timers/promises";
import { PloyzError } from "./error-codes.ts";
import type { Attached, ExecOptions, ExecResult, Runtime } from "./runtime.ts";

/** Runs a program to its end and collects its output. Kills it at the deadline. */
export async function execBy(
  attach: Runtime["attach"],
  id: string,
  argv: readonly string[],
  { input, signal, timeoutMs = 30_000 }: ExecOptions = {},
): Promise<ExecResult> {
  const program = await attach(id, argv);
  const what = `${argv[0]} in ${id}`;
  const deadline = AbortSignal.timeout(timeoutMs);
  const ended = AbortSignal.any([deadline, ...(signal === undefined ? [] : [signal])]);
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  program.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  program.stderr?.on("data", (chunk: Buffer) => stderr.push(chunk));
  program.stdin.on("error", () => {}); // a program may end without reading its input
  program.stdin.end(input);
  const cut = new Promise<"cut">((resolve) => {
    if (ended.aborted) resolve("cut");
    else ended.addEventListener("abort", () => resolve("cut"), { once: true });
  });
  const outcome = await Promise.race([program.done, cut]);
  if (outcome === "cut") {
    await program.kill();
    throw new PloyzError(
      deadline.aborted
        ? { code: "exec_timeout", message: `${what} did not finish within ${timeoutMs} ms` }
        : { code: "exec_aborted", message: `${what} was aborted` },
    );
  }
  // What it left running may keep them open.
  await Promise.race([Promise.all([program.stdout, program.stderr].map(read)), cut, delay(500)]);
  const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString("utf8");
  return { exitCode: outcome.exitCode, stdout: text(stdout), stderr: text(stderr) };
}

const read = (stream: Attached["stdout"] | undefined): Promise<unknown> =>
  stream === undefined || stream.readableEnded || stream.destroyed
    ? Promise.resolve()
    : new Promise((resolve) => {
        stream.once("end", resolve);
        stream.once("close", resolve);
      });
