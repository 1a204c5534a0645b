import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { spawnOnTerminal, spawnStream, untilRead } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import { killBelow, signalBelow } from "../kill.ts";
import type { Attached, AttachOptions } from "../runtime.ts";
import { missing } from "../spec.ts";
import type { Instances } from "./lifecycle.ts";
import type { InstancePaths } from "./paths.ts";
import { readOptional, readRecord } from "./records.ts";
import { firstProcess, life } from "./supervise.ts";

const ANY_EXIT_CODE = Array.from({ length: 256 }, (_, code) => code);
/** Of runc itself: the program may have ended so too, but then runc logs nothing. */
const FAILED = 255;

/** Runs a program in the instance's namespaces and group, confined as the instance is: runc takes all of it from the bundle. */
export async function attachInside(
  machine: Instances,
  paths: InstancePaths,
  argv: readonly string[],
  { terminal, env = {} }: AttachOptions,
): Promise<Attached> {
  if ((await readRecord(paths)) === undefined) throw missing(paths.id);
  if ((await firstProcess(await life(machine.programs, paths.service))) === undefined) {
    throw new PloyzError({
      code: "instance_not_running",
      message: `instance ${paths.id} is not running`,
      hint: "start it first",
    });
  }
  const { runc } = machine.programs;
  const logFile = join(paths.run, `exec.${randomBytes(6).toString("hex")}.log`);
  const variables = Object.entries(env).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  const args = [
    ...["--root", paths.runcRoot, "--log", logFile, "exec"],
    ...(terminal === undefined ? [] : ["--tty"]),
    ...variables,
    ...[paths.cgroup, ...argv],
  ];
  const child =
    terminal === undefined
      ? startProgram(runc, args)
      : await spawnOnTerminal(runc, args, terminal).then(({ input, output, ...rest }) => ({
          ...rest,
          ...{ stdin: input, stdout: output },
        }));
  const { pid } = child;
  const done = child.done.then(
    async ({ exitCode }) => {
      const log = (await readOptional(logFile)) ?? "";
      await rm(logFile, { force: true });
      return { exitCode: exitCode === FAILED && log !== "" ? shellCode(log) : exitCode };
    },
    async (error: unknown) => {
      await rm(logFile, { force: true });
      throw error;
    },
  );
  done.catch(() => {});
  return {
    ...{ pid, stdin: child.stdin, stdout: child.stdout, done },
    ...("stderr" in child && { stderr: child.stderr }),
    resize: async (size) => {
      if ("resize" in child) await child.resize(size);
    },
    signal: async (name) => {
      if (pid !== undefined) await signalBelow(pid, name);
    },
    async kill() {
      // The program inside is a child of runc's, and would outlive it.
      if (pid !== undefined) await killBelow(pid);
      child.kill("SIGKILL");
      for (const stream of [child.stdin, child.stdout, "stderr" in child ? child.stderr : undefined])
        stream?.destroy();
      await rm(logFile, { force: true });
    },
  };
}

function startProgram(runc: string, args: readonly string[]) {
  const child = spawnStream(runc, args, { okExitCodes: ANY_EXIT_CODE });
  return { ...child, stdout: untilRead(child.stdout), stderr: untilRead(child.stderr) };
}

/** As a shell: 127 when there is no such program, 126 when it cannot be run. */
function shellCode(log: string): number {
  if (/executable file not found|no such file or directory/i.test(log)) return 127;
  return /permission denied|exec format error|is a directory/i.test(log) ? 126 : FAILED;
}
