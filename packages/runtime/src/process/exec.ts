import { spawnStream } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import { killBelow } from "../kill.ts";
import type { ExecOptions, ExecResult } from "../runtime.ts";
import { missing } from "../spec.ts";
import type { Instances } from "./lifecycle.ts";
import type { InstancePaths } from "./paths.ts";
import { readRecord } from "./records.ts";
import { firstProcess, life } from "./supervise.ts";

const DEFAULT_TIMEOUT_MS = 30_000;
const ANY_EXIT_CODE = Array.from({ length: 256 }, (_, code) => code);

/** Runs a program in the instance's namespaces and group, confined as the instance is: runc takes all of it from the bundle. */
export async function execInside(
  machine: Instances,
  paths: InstancePaths,
  argv: readonly string[],
  options: ExecOptions,
): Promise<ExecResult> {
  if ((await readRecord(paths)) === undefined) throw missing(paths.id);
  if ((await firstProcess(await life(machine.programs, paths.service))) === undefined) {
    throw new PloyzError({
      code: "instance_not_running",
      message: `instance ${paths.id} is not running`,
      hint: "start it first",
    });
  }
  const child = spawnStream(
    machine.programs.runc,
    ["--root", paths.runcRoot, "exec", paths.cgroup, ...argv],
    { okExitCodes: ANY_EXIT_CODE },
  );
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on("error", () => {}); // a program may end without reading its input
  child.stdin.end(options.input);
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const deadline = AbortSignal.timeout(timeoutMs);
  const ended = AbortSignal.any([deadline, ...(options.signal === undefined ? [] : [options.signal])]);
  const cut = new Promise<"cut">((resolve) => {
    if (ended.aborted) resolve("cut");
    else ended.addEventListener("abort", () => resolve("cut"), { once: true });
  });
  const outcome = await Promise.race([child.done.then(({ exitCode }) => exitCode), cut]);
  if (outcome === "cut") {
    // The program inside is a child of runc's, and would outlive it.
    if (child.pid !== undefined) await killBelow(child.pid);
    child.kill("SIGKILL");
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
    const shown = argv[0] ?? "";
    throw new PloyzError(
      deadline.aborted
        ? { code: "exec_timeout", message: `${shown} in ${paths.id} did not finish within ${timeoutMs} ms` }
        : { code: "exec_aborted", message: `${shown} in ${paths.id} was aborted` },
    );
  }
  const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString("utf8");
  return { exitCode: outcome, stdout: text(stdout), stderr: text(stderr) };
}
