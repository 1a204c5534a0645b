import { access, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { spawnDetached } from "../detached.ts";
import { PloyzError } from "../error-codes.ts";
import { findProgram } from "../find.ts";
import { run } from "../run.ts";
import { waitFor } from "../wait-for.ts";
import { unconfined } from "./confine.ts";
import { renderFinish, renderLog, renderRun } from "./s6-run.ts";
import type { ServiceHost, ServiceSpec, ServiceStatus } from "./types.ts";
import { linkScript } from "./write.ts";

export interface S6Options {
  /** The scan directory, on a file system that a reboot empties (/run/ployz/services), so that no stale service ever starts. */
  readonly dir: string;
  /** Logs, and the scripts that are executed: /run is mounted noexec on Debian. */
  readonly logDir: string;
}

const SIGNALS = {
  SIGHUP: "-h",
  SIGINT: "-i",
  SIGQUIT: "-q",
  SIGUSR1: "-1",
  SIGUSR2: "-2",
  SIGTERM: "-t",
  SIGKILL: "-k",
} as const;

/** As systemd gives it to services. */
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Every service inherits it: nothing of the operator's shell but the variables of Ployz. */
const serviceEnvironment = (env: NodeJS.ProcessEnv): Readonly<Record<string, string>> => ({
  PATH,
  LANG: "C.UTF-8",
  ...Object.fromEntries(
    Object.entries(env).flatMap(([name, value = ""]) => (name.startsWith("PLOYZ_") ? [[name, value]] : [])),
  ),
});

/** Services under a detached s6-svscan(8), for machines without systemd. */
export function s6Host({ dir, logDir }: S6Options): ServiceHost {
  const home = (name: string) => join(dir, name);
  const scripts = (name: string) => join(logDir, name, ".service");
  const exists = (path: string) =>
    access(path).then(
      () => true,
      () => false,
    );

  /** Private, although its parent folder may be open to others (for a socket that a group uses). */
  async function makeScanDirectory(): Promise<void> {
    await mkdir(dirname(dir), { recursive: true });
    await mkdir(dir, { recursive: true, mode: 0o700 });
  }

  async function ensureScanner(): Promise<void> {
    await makeScanDirectory();
    await mkdir(logDir, { recursive: true, mode: 0o750 });
    const scanner = await findProgram("s6-svscan");
    if (scanner === undefined) {
      throw new PloyzError({
        code: "s6_missing",
        message: "s6-svscan is not installed",
        hint: "apt-get install s6",
      });
    }
    if (await answers()) return;
    await spawnDetached(scanner, ["-t0", dir], {
      logFile: join(logDir, "supervisor.log"),
      env: serviceEnvironment(process.env),
    });
    await waitFor("s6-svscan to answer", async () => ((await answers()) ? true : undefined), {
      timeoutMs: 5_000,
    });
  }

  /** s6-svscanctl exits 100 when no s6-svscan runs on the directory. */
  async function answers(): Promise<boolean> {
    if (!(await exists(join(dir, ".s6-svscan")))) return false;
    return (await run("s6-svscanctl", ["-a", dir], { okExitCodes: [0, 100, 111] })).exitCode === 0;
  }

  async function status(name: string): Promise<ServiceStatus> {
    if (!(await exists(home(name)))) return { state: "absent" };
    const { stdout, exitCode } = await run("s6-svstat", ["-o", "up,pid", home(name)], {
      okExitCodes: [0, 1, 100, 111],
    });
    const [up, pid] = stdout.trim().split(" ");
    return exitCode === 0 && up === "true" && Number(pid) > 0
      ? { state: "running", pid: Number(pid) }
      : { state: "stopped" };
  }

  /** On a busy host s6-svc may not get its listener started (exit code 111): then the service has got no order, and the order is repeated. */
  const order = async (name: string, args: readonly string[], timeoutMs: number): Promise<void> => {
    for (let tries = 4; tries > 0; tries--) {
      const okExitCodes = tries > 1 ? [0, 111] : [0];
      if ((await run("s6-svc", [...args, home(name)], { timeoutMs, okExitCodes })).exitCode === 0) return;
    }
  };
  const down = (name: string) => order(name, ["-wD", "-T", "60000", "-d"], 65_000);
  const up = (name: string) => order(name, ["-wu", "-T", "15000", "-u"], 20_000);
  const supervised = async (name: string) =>
    (await exists(home(name))) &&
    (await run("s6-svok", [home(name)], { okExitCodes: [0, 1, 100, 111] })).exitCode === 0;

  /** Whether a running one has to start again. */
  async function write(spec: ServiceSpec): Promise<boolean> {
    await mkdir(join(home(spec.name), "log"), { recursive: true, mode: 0o700 });
    await mkdir(join(logDir, spec.name), { recursive: true, mode: 0o750 });
    const at = scripts(spec.name);
    await mkdir(at, { recursive: true, mode: 0o700 });
    const finish = renderFinish(spec);
    if (finish !== undefined) await linkScript(join(home(spec.name), "finish"), join(at, "finish"), finish);
    else await rm(join(home(spec.name), "finish"), { force: true });
    await writeFile(join(home(spec.name), "timeout-kill"), `${spec.stopTimeoutMs ?? 10_000}\n`);
    await writeFile(join(home(spec.name), "down-signal"), `${spec.stopSignal ?? "SIGTERM"}\n`);
    await linkScript(
      join(home(spec.name), "log", "run"),
      join(at, "log"),
      renderLog(join(logDir, spec.name)),
    );
    const text = renderRun(spec);
    const before = await linkScript(join(home(spec.name), "run"), join(at, "run"), text);
    return unconfined(before ?? "") !== unconfined(text);
  }

  return {
    kind: "s6",
    status,
    async ensure(spec) {
      await makeScanDirectory();
      const before = await status(spec.name);
      const changed = await write(spec); // write everything before the scanner sees the folder: it never starts a half-written service
      await ensureScanner();
      await run("s6-svscanctl", ["-a", dir]);
      await waitFor(
        `s6 to supervise ${spec.name}`,
        // s6-supervise answers just before it writes its first status, which s6-svc -w reads.
        async () =>
          (await supervised(spec.name)) && (await exists(join(home(spec.name), "supervise", "status")))
            ? true
            : undefined,
        { timeoutMs: 5_000 },
      );
      if (before.state === "running" && !changed) return "unchanged";
      if (before.state === "running") await down(spec.name);
      await up(spec.name);
      return before.state === "running" ? "replaced" : "started";
    },
    async stop(name) {
      if (await supervised(name)) await down(name);
    },
    async restart(name) {
      await down(name);
      await up(name);
    },
    async remove(name) {
      // Hide the folder from the scanner first: otherwise it restarts the supervisor inside the folder being removed.
      const gone = join(dir, `.${name}`);
      if (await exists(home(name))) {
        if (await supervised(name)) await down(name);
        await rm(gone, { recursive: true, force: true });
        await rename(home(name), gone);
      }
      if (!(await exists(gone))) return;
      if (await answers()) await run("s6-svscanctl", ["-an", dir]);
      const ended = async (): Promise<true | undefined> =>
        (await supervised(`.${name}`)) || (await supervised(`.${name}/log`)) ? undefined : true;
      await waitFor(`the supervisors of ${name} to exit`, ended, { timeoutMs: 15_000 });
      await rm(gone, { recursive: true, force: true });
      await rm(scripts(name), { recursive: true, force: true });
    },
    async signal(name, signal) {
      await run("s6-svc", [SIGNALS[signal], home(name)]);
    },
    async list() {
      const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
      return entries
        .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
        .map((entry) => entry.name)
        .sort();
    },
  };
}

/** Stops the scanner and everything it supervises. For a machine that leaves its cluster, and for tests. */
export async function stopS6(dir: string): Promise<void> {
  const host = s6Host({ dir, logDir: join(dir, ".log") });
  await Promise.all((await host.list()).map((name) => host.remove(name)));
  const lock = await readFile(join(dir, ".s6-svscan", "lock")).catch(() => undefined);
  if (lock !== undefined) await run("s6-svscanctl", ["-t", dir], { okExitCodes: [0, 100, 111] });
}
