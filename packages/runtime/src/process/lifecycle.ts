import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { signalProcess, waitFor } from "@ployz/exec";
import { stageBinds, stagedBinds, unstageBinds } from "../binds.ts";
import { readDevices } from "../devices.ts";
import { PloyzError } from "../error-codes.ts";
import { kill } from "../kill.ts";
import type { InstanceSpec, InstanceStatus, NetworkSpec, StopOptions } from "../runtime.ts";
import { checkRights, type Forbids, missing, rootRefused } from "../spec.ts";
import type { Cgroups } from "./cgroup.ts";
import { makeRunFolder, removeRunFolder } from "./folder.ts";
import { IMAGE_INIT, imageRoot, userOf } from "./image-root.ts";
import type { ImageFiles } from "./images.ts";
import { ensureNetns, killAll, removeNetns } from "./netns.ts";
import type { InstancePaths, ProcessLayout } from "./paths.ts";
import type { Programs } from "./programs.ts";
import { readOptional, readRecord, readState, resetState, setOomBase, setWanted } from "./records.ts";
import { hostFiles, machineRoot, type Root } from "./rootfs.ts";
import {
  control,
  firstProcess,
  isSupervised,
  life,
  programOf,
  runsProgram,
  supervise,
  untilDown,
} from "./supervise.ts";
import { instanceUser, type User } from "./users.ts";

/** What every operation on an instance of this machine needs. */
export interface Instances {
  readonly programs: Programs;
  readonly cgroups: Cgroups;
  readonly layout: ProcessLayout;
  readonly log: { readonly maxBytes: number; readonly maxFiles: number };
  readonly hidden: readonly string[];
  readonly arch: "amd64" | "arm64";
  readonly refuseRoot: boolean;
  readonly forbids: Forbids | undefined;
  readonly bindDir: string | undefined;
  /** Absent: images are refused. */
  readonly images: ImageFiles | undefined;
  /** @throws PloyzError `network_missing` */
  network(): Promise<NetworkSpec>;
}

const START_TIMEOUT_MS = 45_000;
const DEFAULT_GRACE_MS = 10_000;

export async function inspectInstance(machine: Instances, paths: InstancePaths): Promise<InstanceStatus> {
  const record = await readRecord(paths);
  if (record === undefined) return { id: paths.id, labels: {}, state: "absent", identity: "" };
  const supervised = await isSupervised(paths.service);
  const [state, now] = await Promise.all([
    readState(paths),
    supervised ? life(machine.programs, paths.service) : { up: false, wanted: false, pid: undefined },
  ]);
  const first = await firstProcess(now);
  const oomKilled = (await machine.cgroups.oomKills(paths.cgroup)) > state.oomBase;
  // Between two lives it counts as running: the supervisor waits out the back-off, and `restarts` tells.
  const running = supervised && (now.up || (state.wanted && record.spec.restart === "always"));
  return {
    id: paths.id,
    labels: record.spec.labels,
    state: running ? "running" : state.starts > 0 ? "exited" : "created",
    ...(first !== undefined && { pid: first.pid, startedAt: await startedAt(first.startTime) }),
    ...(state.exitCode !== undefined && { exitCode: state.exitCode }),
    restarts: Math.max(0, state.starts - 1),
    address: record.spec.address,
    ...(record.spec.image !== undefined && { image: record.spec.image }),
    identity: record.identity,
    ...(oomKilled && { oomKilled }),
  };
}

export async function startInstance(machine: Instances, paths: InstancePaths): Promise<InstanceStatus> {
  const { programs, cgroups } = machine;
  const record = await readRecord(paths);
  if (record === undefined) throw missing(paths.id);
  const { spec } = record;
  const state = await readState(paths);
  if (spec.restart === "no" && state.exitCode !== undefined) return inspectInstance(machine, paths);
  const supervised = await isSupervised(paths.service);
  const running = supervised && (await life(programs, paths.service)).up;
  const waiting = supervised && state.wanted && state.starts > 0 && spec.restart === "always";
  if (running || waiting) {
    await setWanted(paths, true);
    return inspectInstance(machine, paths);
  }
  if (supervised) await dismiss(machine, paths);
  // Without a supervisor nothing of it may run: two lives of one instance at once would be worse than none.
  await removeNetns(paths);
  const settings = spec.container ?? {};
  await checkRights(paths.id, settings, machine.forbids);
  const devices = await readDevices(paths.id, settings);
  const { root, user } = await rootOf(machine, paths, spec);
  if (machine.refuseRoot && user.uid === 0) throw rootRefused(paths.id);
  await ensureNetns(paths, await machine.network(), spec.address);
  const cgroup = await cgroups.ensure(paths.cgroup, spec.resources ?? {});
  await stageBinds(machine.bindDir, paths.id, settings, machine.forbids);
  await resetState(paths);
  await setOomBase(paths, await cgroups.oomKills(paths.cgroup));
  await makeRunFolder({
    ...{ spec, paths, user, programs, cgroup, devices },
    binds: stagedBinds(machine.bindDir, paths.id, settings),
    root,
    rootfs: paths.rootfs,
    netns: paths.netnsPath,
    arch: machine.arch,
    init: root.kind === "image" ? IMAGE_INIT : programs.tini,
    hidden: machine.hidden,
    log: machine.log,
  });
  await setWanted(paths, true);
  const trackers = await cgroups.supervisorProcs();
  const logFile = join(paths.run, "supervisor.log");
  const [stdout, stderr] = paths.loggers.map((logger) => logger.fifo) as [string, string];
  await Promise.all([
    supervise(programs, paths.service, { logFile, output: { stdout, stderr }, cgroups: trackers }),
    ...paths.loggers.map((logger) => supervise(programs, logger.service, { logFile, cgroups: trackers })),
  ]);
  await control(programs, paths.service, "-u");
  await untilBegun(paths);
  return inspectInstance(machine, paths);
}

async function rootOf(
  { images, programs }: Instances,
  paths: InstancePaths,
  spec: InstanceSpec,
): Promise<{ readonly root: Root; readonly user: User }> {
  if (spec.image === undefined || images === undefined) {
    const user = await instanceUser(spec);
    return { root: await machineRoot(hostFiles, spec, user), user };
  }
  const path = await images.root(paths.id, spec.image);
  return { root: imageRoot(path, spec, { paths, programs }), user: await userOf(images, path, spec) };
}

/** Until its program runs, or its first life is over: a program that does not exist never runs, however long that takes to show. */
async function untilBegun(paths: InstancePaths): Promise<void> {
  await waitFor(
    `instance ${paths.id} to come up`,
    async () => {
      if ((await readState(paths)).exitCode !== undefined) return true;
      const pid = Number((await readOptional(paths.pidFile)) ?? 0);
      return (pid > 0 && (await runsProgram(pid))) || undefined;
    },
    { timeoutMs: START_TIMEOUT_MS, intervalMs: 3 },
  ).catch((error: unknown) => {
    throw new PloyzError(
      {
        code: "instance_start_failed",
        message: `instance ${paths.id} did not come up within ${START_TIMEOUT_MS} ms`,
        hint: "its log says why",
      },
      { cause: error },
    );
  });
}

export async function stopInstance(
  machine: Instances,
  paths: InstancePaths,
  options: StopOptions,
): Promise<void> {
  const { programs } = machine;
  // A damaged record must not prevent stopping the instance.
  const record = await readRecord(paths).catch(() => ({ spec: undefined }));
  if (record === undefined) return;
  await setWanted(paths, false);
  if (!(await isSupervised(paths.service))) {
    await killAll(paths);
    return;
  }
  const now = await life(programs, paths.service);
  if (!now.up && !now.wanted) return; // stopped before: nothing of it is left to wait for
  const graceMs = options.graceMs ?? record.spec?.stopGraceMs ?? DEFAULT_GRACE_MS;
  const signal = (options.signal ?? record.spec?.stopSignal ?? "SIGTERM") as NodeJS.Signals;
  await control(programs, paths.service, "-O"); // no further life
  const first = await firstProcess(now);
  if (first !== undefined && (await programOf(first.pid)) === "tini" && graceMs > 0) {
    await signalProcess(first, signal);
    if (await untilDown(programs, paths.service, graceMs)) return;
  }
  if (first === undefined) {
    // Scripts outside, one of which may be waiting out a back-off. s6-supervise makes its child a session leader.
    if (now.pid !== undefined) kill(-now.pid);
  } else {
    await signalProcess(first, "SIGKILL"); // the kernel ends the rest of its pid namespace
  }
  if (await untilDown(programs, paths.service, 5_000)) return;
  await killAll(paths);
  if (!(await untilDown(programs, paths.service, 5_000))) {
    throw new PloyzError({
      code: "instance_stuck",
      message: `instance ${paths.id} did not end after SIGKILL`,
      hint: "a process of it is probably waiting for a disk or a network file system",
    });
  }
}

export async function removeInstance(
  machine: Instances,
  paths: InstancePaths,
  keepLogs: boolean,
): Promise<void> {
  await stopInstance(machine, paths, { graceMs: 0 });
  await dismiss(machine, paths);
  await removeNetns(paths);
  await machine.cgroups.remove(paths.cgroup);
  await removeRunFolder(paths);
  await unstageBinds(machine.bindDir, paths.id);
  const record = await readRecord(paths).catch(() => "damaged" as const);
  if (record === "damaged" || record?.spec.image !== undefined) await machine.images?.removeRoot(paths.id);
  if (!keepLogs) await rm(paths.logs, { recursive: true, force: true });
  // Delete the record last: until then a repeated remove can continue.
  await rm(paths.dir, { recursive: true, force: true });
}

/** Ends the supervisors: first the instance's, so that the loggers read to the end. */
async function dismiss(machine: Instances, paths: InstancePaths): Promise<void> {
  const { programs } = machine;
  await control(programs, paths.service, "-xd");
  await gone(paths.service);
  await Promise.all(
    paths.loggers.map(async ({ service }) => {
      // The last writer is gone: it reads to the end and ends, and its supervisor with it.
      await control(programs, service, "-Ox");
      await gone(service, 2_000).catch(async () => {
        await control(programs, service, "-xd");
        await gone(service);
      });
    }),
  );
}

async function gone(service: string, timeoutMs = 5_000): Promise<void> {
  await waitFor(
    `the supervisor of ${service} to end`,
    async () => ((await isSupervised(service)) ? undefined : true),
    { timeoutMs, intervalMs: 3 },
  );
}

/** Field 22 of proc_pid_stat(5) counts clock ticks (100 a second on every Linux we support) since boot. */
async function startedAt(startTime: string): Promise<string> {
  const boot = /^btime (\d+)$/m.exec(await readFile("/proc/stat", "utf8"))?.[1] ?? "0";
  return new Date(Number(boot) * 1000 + Number(startTime) * 10).toISOString();
}
