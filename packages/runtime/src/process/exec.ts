import { constants } from "node:os";
import { ExecError, spawnStream } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import { killBelow } from "../kill.ts";
import type { ExecOptions, ExecResult } from "../runtime.ts";
import { missing } from "../spec.ts";
import { privileges, withEnvironment, workdir } from "./launch.ts";
import type { Instances } from "./lifecycle.ts";
import type { InstancePaths } from "./paths.ts";
import { readRecord } from "./records.ts";
import { firstProcess, life } from "./supervise.ts";
import { resolveUser } from "./users.ts";

const DEFAULT_TIMEOUT_MS = 30_000;
const ANY_EXIT_CODE = Array.from({ length: 256 }, (_, code) => code);

/** Joins the instance's namespaces and drops to its privileges. Not in its cgroup: a full one must not refuse a look inside. */
export async function execInside(
  machine: Instances,
  paths: InstancePaths,
  argv: readonly string[],
  options: ExecOptions,
): Promise<ExecResult> {
  const record = await readRecord(paths);
  if (record === undefined) throw missing(paths.id);
  const first = await firstProcess(await life(machine.programs, paths.service));
  if (first === undefined) {
    throw new PloyzError({
      code: "instance_not_running",
      message: `instance ${paths.id} is not running`,
      hint: "start it first",
    });
  }
  const user = await resolveUser(record.spec.user ?? "nobody");
  const { programs } = machine;
  const inside = [
    ...["--target", String(first.pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--root"],
    ...[
      `--wdns=${workdir(record.spec)}`,
      "--",
      ...privileges(programs, user),
      ...withEnvironment(programs, argv),
    ],
  ];
  const child = spawnStream(programs.nsenter, inside, { okExitCodes: ANY_EXIT_CODE });
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
  const outcome = await Promise.race([
    child.done.then(
      ({ exitCode }) => exitCode,
      (error: unknown) => {
        // nsenter ends itself by the signal that ended the program inside
        if (error instanceof ExecError && error.signal !== undefined) return 128 + signalNumber(error.signal);
        throw error;
      },
    ),
    cut,
  ]);
  if (outcome === "cut") {
    // The program inside is a child of nsenter's, and would outlive it.
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

function signalNumber(name: string): number {
  return constants.signals[name as NodeJS.Signals] ?? 0;
}
