import { constants } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { identify, type ProcessIdentity, run, spawnDetached, spawnStream, waitFor } from "@ployz/exec";
import { childrenOf } from "../kill.ts";
import { batched } from "./batch.ts";
import type { Programs } from "./programs.ts";

export interface Life {
  /** The supervised process: outside the instance's pid namespace, parent of its first process. */
  readonly pid: number | undefined;
  readonly up: boolean;
  /** Whether it is up, or will be again: false once it was asked down and is. */
  readonly wanted: boolean;
}

/**
 * Whether an s6-supervise(8) process serves the folder: it alone reads the control FIFO, and the kernel knows readers.
 * Surer than a recorded pid, and gone with the process.
 */
export async function isSupervised(service: string): Promise<boolean> {
  try {
    const fifo = await open(join(service, "supervise", "control"), constants.O_WRONLY | constants.O_NONBLOCK);
    await fifo.close();
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENXIO" || code === "ENOENT" || code === "ENOTDIR") return false;
    throw error;
  }
}

export interface SuperviseOptions {
  readonly logFile: string;
  /** FIFOs for stdout and stderr, opened for reading as well: a writer never meets a broken pipe while a logger restarts. */
  readonly output?: { readonly stdout: string; readonly stderr: string };
  readonly cgroups: readonly string[];
}

/** Where s6 finds its own programs. */
const SUPERVISOR_PATH = "/usr/bin:/bin";

/** Starts the supervisor of a service folder in a session of its own, with a clean environment. Idempotent. */
export async function supervise(
  programs: Programs,
  service: string,
  options: SuperviseOptions,
): Promise<void> {
  if (await isSupervised(service)) return;
  const output =
    options.output === undefined
      ? []
      : [
          programs.redirfd,
          "-u",
          "1",
          options.output.stdout,
          programs.redirfd,
          "-u",
          "2",
          options.output.stderr,
        ];
  const argv = [...joining(options.cgroups), ...output, programs.supervise, service];
  await spawnDetached(programs.emptyenv, ["-p", ...argv], {
    logFile: options.logFile,
    env: { PATH: SUPERVISOR_PATH },
    cwd: "/",
  });
  await waitFor(
    `the supervisor of ${service}`,
    async () => ((await isSupervised(service)) ? true : undefined),
    {
      timeoutMs: 5_000,
      intervalMs: 3,
    },
  );
}

/** Joins the groups before it becomes the supervisor, so that none of its children is left in the caller's. */
function joining(cgroups: readonly string[]): readonly string[] {
  if (cgroups.length === 0) return [];
  const script = 'until [ "$1" = -- ]; do echo $$ >"$1"; shift; done 2>/dev/null; shift; exec "$@"';
  return ["/bin/sh", "-c", script, "sh", ...cgroups, "--"];
}

/** Exit code and answer of each service, a line for each. */
const SVSTAT =
  'svstat=$1; shift; for one; do found=$("$svstat" -o up,wantedup,pid "$one"); echo "$? $found"; done';

async function lives(programs: Programs, services: readonly string[]): Promise<readonly Life[]> {
  const { stdout } = await run("/bin/sh", ["-c", SVSTAT, "sh", programs.svstat, ...services]);
  const lines = stdout.split("\n");
  return services.map((_, index) => {
    const [exitCode = "", up, wanted, pid] = (lines[index] ?? "").split(" ");
    if (!["0", "1", "111"].includes(exitCode))
      throw new Error(`s6-svstat of ${services[index]}: exit code ${exitCode}`);
    if (exitCode !== "0" || up !== "true" || pid === undefined || Number(pid) <= 0)
      return { up: false, wanted: exitCode !== "0" || wanted !== "false", pid: undefined };
    return { up: true, wanted: true, pid: Number(pid) };
  });
}

const asking = new WeakMap<Programs, (service: string) => Promise<Life>>();

/** Of a service that does not exist or has no supervisor: not up. */
export function life(programs: Programs, service: string): Promise<Life> {
  const ask = asking.get(programs) ?? batched((services: readonly string[]) => lives(programs, services));
  asking.set(programs, ask);
  return ask(service);
}

/** Resolves `true` when the service is down and its finish script has ended, `false` at the time-out. 0 waits for ever. */
export async function untilDown(
  programs: Programs,
  service: string,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const waiting = spawnStream(programs.svwait, ["-D", "-t", String(timeoutMs), service], {
    okExitCodes: [0, 99],
    ...(signal !== undefined && { signal }),
  });
  waiting.stdout.resume();
  waiting.stdin.end();
  return (await waiting.done).exitCode === 0;
}

/** Resolves when it is down for good: not between two lives, but stopped, a job that ended, or without its supervisor. */
export async function untilGivenUp(programs: Programs, service: string, signal: AbortSignal): Promise<void> {
  while (await isSupervised(service)) {
    await untilDown(programs, service, 0, signal);
    const { stdout } = await run(programs.svstat, ["-o", "up,wantedup,normallyup", service], {
      okExitCodes: [0, 1, 111],
      signal,
    });
    if (!stdout.startsWith("false true")) return;
    // Another life is due: at most the supervisor's own second away.
    await run(programs.svwait, ["-u", "-t", "5000", service], { okExitCodes: [0, 1, 99, 111], signal });
  }
}

export async function control(programs: Programs, service: string, commands: string): Promise<void> {
  if (!(await isSupervised(service))) return; // nothing to control
  // 100 and 111: its supervisor went in between.
  await run(programs.svc, [commands, service], { okExitCodes: [0, 100, 111] });
}

/** The first process inside the pid namespace, seen from the machine. While runc prepares it, it is runc's own. */
export async function firstProcess(life: Life): Promise<ProcessIdentity | undefined> {
  if (life.pid === undefined) return undefined;
  const outside = await pidNamespace(life.pid);
  for (const child of await childrenOf(life.pid)) {
    const namespace = await pidNamespace(child);
    if (namespace !== undefined && namespace !== outside) return identify(child);
  }
  return undefined;
}

/** What the process runs now; the program's name, at most 15 bytes. */
export async function programOf(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")).trim();
}

/**
 * Whether tini's child has become the instance's program: before, it is a copy of tini, with the same arguments. runc names the first
 * process until it is tini.
 */
export async function runsProgram(init: number): Promise<boolean> {
  if ((await programOf(init)) !== "tini") return false;
  const argv = await argumentsOf(init);
  const children = await Promise.all((await childrenOf(init)).map(argumentsOf));
  return children.some((child) => child !== "" && child !== argv);
}

async function argumentsOf(pid: number): Promise<string> {
  return readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
}

/** `NSpid` of the process and its depth: two numbers mean a nested pid namespace (proc_pid_status(5)). */
async function pidNamespace(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return /^NSpid:\s*(.+)$/m.exec(status)?.[1]?.split(/\s+/).length;
}
