import { mkdir, rm } from "node:fs/promises";
import { arch } from "node:os";
import { dirname } from "node:path";
import { waitFor } from "@ployz/exec";
import { stagedBinds, tidyBinds } from "../binds.ts";
import { execBy } from "../collect.ts";
import { readDevices } from "../devices.ts";
import { PloyzError } from "../error-codes.ts";
import { checkAddress, checkNetwork } from "../network/addresses.ts";
import { ensureBridge, ensureFilter, removeBridge, removeFilter } from "../network/apply.ts";
import { networkFaults } from "../network/faults.ts";
import type { InstanceSpec, InstanceStatus, NetworkSpec, Runtime } from "../runtime.ts";
import {
  checkRights,
  checkSpec,
  conflict,
  type Forbids,
  hasLabels,
  instanceIdentity,
  invalid,
  missing,
} from "../spec.ts";
import { openCgroups } from "./cgroup.ts";
import { attachInside } from "./exec.ts";
import { architecture, machineFacts } from "./host-facts.ts";
import { completeRoot, userOf } from "./image-root.ts";
import { type ImageFiles, withProgram } from "./images.ts";
import { type Instances, inspectInstance, removeInstance, startInstance, stopInstance } from "./lifecycle.ts";
import { readLogs } from "./log-files.ts";
import { isComplete } from "./log-folder.ts";
import { checkMounts } from "./mounts.ts";
import { instancePaths } from "./paths.ts";
import { findPrograms } from "./programs.ts";
import {
  listIds,
  readNetwork,
  readRecord,
  readState,
  resetState,
  writeNetwork,
  writeRecord,
} from "./records.ts";
import { firstProcess, isSupervised, life, untilGivenUp } from "./supervise.ts";
import { instanceUser } from "./users.ts";

/** Folders of the process runtime, and rules for its instances. */
export interface ProcessRuntimeOptions {
  /** Records that survive a reboot. */
  readonly root: string;
  /** Service folders; on a tmpfs such as /run. */
  readonly runDir: string;
  readonly logDir: string;
  /** Per stream. `maxBytes` (at least 4096) is for one file, `maxFiles` counts the rotated ones. */
  readonly log?: { readonly maxBytes: number; readonly maxFiles: number };
  /** Group under which instances get theirs. Default `ployz`. */
  readonly cgroupParent?: string;
  /** TCP ports of machines that no workload may reach. */
  readonly controlPorts?: readonly number[];
  /** Start no instance with user id 0. Default: start it. */
  readonly refuseRoot?: boolean;
  /** Why no instance with these settings is started here. Default: every one is. */
  readonly forbids?: Forbids;
  /** Where files and folders of the machine are mounted for instances; on a tmpfs such as /run. Without it they are refused. */
  readonly bindDir?: string;
  /** Folders that no workload may see, if they lie in /usr: nothing else of the machine is shown. */
  readonly hidden?: readonly string[];
  /** Images of this machine as files. Without it an instance with an image is refused. */
  readonly images?: ImageFiles;
}

/** Longest wait for the log of a program that has ended. */
const LAST_WORDS_MS = 300;

/**
 * Workloads as processes of this machine, each in namespaces of its own made by runc, supervised by s6 so that they outlive the
 * caller. Needs root. @throws PloyzError `runtime_program_missing`
 */
export async function openProcessRuntime(options: ProcessRuntimeOptions): Promise<Runtime> {
  const programs = await findPrograms();
  const cgroups = await openCgroups(options.cgroupParent ?? "ployz");
  const controlPorts = options.controlPorts ?? [];
  for (const dir of [options.root, options.runDir]) await mkdir(dir, { recursive: true, mode: 0o700 });
  const machine: Instances = {
    programs,
    cgroups,
    layout: { root: options.root, runDir: options.runDir, logDir: options.logDir },
    log: options.log ?? { maxBytes: 1024 * 1024, maxFiles: 10 },
    hidden: [...(options.hidden ?? []), options.root, options.runDir, options.logDir].filter((dir) =>
      dir.startsWith("/usr/"),
    ),
    arch: architecture(arch()),
    refuseRoot: options.refuseRoot === true,
    forbids: options.forbids,
    bindDir: options.bindDir,
    images: options.images,
    network: async () => {
      const network = await readNetwork(machine.layout);
      if (network !== undefined) return network;
      throw new PloyzError({
        code: "network_missing",
        message: "this machine has no network for instances yet",
        hint: "ensureNetwork comes first",
      });
    },
  };
  const at = (id: string) => instancePaths(machine.layout, id);
  // Two calls for one instance would trip over each other's half-done work: they take turns.
  const turns = new Map<string, Promise<unknown>>();
  const inTurn = <T>(id: string, work: () => Promise<T>): Promise<T> => {
    const before = turns.get(id) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine
      .catch(() => {})
      .then(() => {
        if (turns.get(id) === settled) turns.delete(id);
      });
    turns.set(id, settled);
    return mine;
  };

  const runtime: Runtime = {
    kind: "process",
    facts: () => machineFacts(machine),
    async ensureNetwork(network: NetworkSpec) {
      checkNetwork(network);
      await ensureBridge(network);
      await ensureFilter(network, controlPorts);
      await writeNetwork(machine.layout, network);
    },
    networkFaults: (network) => networkFaults(checkNetwork(network), controlPorts),
    async removeNetwork(network) {
      checkNetwork(network);
      await removeFilter(network);
      await removeBridge(network);
      await writeNetwork(machine.layout, undefined);
      await cgroups.removeParent();
    },
    create: (spec) =>
      inTurn(spec.id, async () => {
        checkSpec(spec);
        if (spec.image === undefined && (spec.entrypoint ?? []).length + (spec.command ?? []).length === 0)
          throw invalid(spec.id, "command", "is empty");
        const paths = at(spec.id);
        const identity = instanceIdentity(spec);
        const record = await readRecord(paths);
        if (record !== undefined && record.identity !== identity) throw conflict(spec.id);
        if (record === undefined) {
          checkAddress(await machine.network(), spec.address);
          // Whatever would fail the start for the spec's sake fails here.
          await checkRights(spec.id, spec.container, options.forbids);
          stagedBinds(options.bindDir, spec.id, spec.container ?? {});
          await readDevices(spec.id, spec.container ?? {});
          await checkMounts(spec);
          const whole = spec.image === undefined ? spec : await fromImage(machine, spec, spec.image);
          if (spec.image === undefined) await instanceUser(spec);
          await resetState(paths);
          await writeRecord(paths, { version: 1, identity, spec: whole });
        }
        return inspectInstance(machine, paths);
      }),
    start: (id) => inTurn(id, () => startInstance(machine, at(id))),
    stop: (id, stopOptions = {}) => inTurn(id, () => stopInstance(machine, at(id), stopOptions)),
    remove: (id, removeOptions = {}) =>
      inTurn(id, () => removeInstance(machine, at(id), removeOptions.keepLogs === true)),
    async wait(id, signal) {
      const paths = at(id);
      for (;;) {
        signal.throwIfAborted();
        const record = await readRecord(paths);
        if (record === undefined) throw missing(id);
        if (await isSupervised(paths.service)) {
          await untilGivenUp(programs, paths.service, signal).catch((error: unknown) => {
            signal.throwIfAborted();
            throw error;
          });
        }
        const { exitCode, wanted } = await readState(paths);
        if (exitCode !== undefined) return { exitCode };
        if (!wanted || !(await isSupervised(paths.service))) {
          throw new PloyzError({
            code: "instance_not_started",
            message: `instance ${id} is not running and has no exit code`,
            hint: "start it first",
          });
        }
      }
    },
    inspect: (id) => inspectInstance(machine, at(id)),
    async list(labels) {
      const statuses: InstanceStatus[] = [];
      for (const id of await listIds(machine.layout)) {
        const status = await inspectInstance(machine, at(id)).catch(() => damaged(id));
        if (status.state !== "absent" && hasLabels(status.labels, labels)) statuses.push(status);
      }
      return statuses;
    },
    async *logs(id, logOptions = {}) {
      const paths = at(id);
      const [stdout, stderr] = paths.loggers.map((logger) => logger.dir) as [string, string];
      if ((await readRecord(paths)) === undefined) throw missing(id);
      await Promise.all([stdout, stderr].map((dir) => mkdir(dir, { recursive: true, mode: 0o750 })));
      // The program has ended, perhaps just now: its last words may still be on their way through the pipes.
      if ((await firstProcess(await life(programs, paths.service))) === undefined)
        await waitFor(
          `the end of the log of ${id}`,
          async () =>
            (await Promise.all([stdout, stderr].map(isComplete))).every(Boolean) ? true : undefined,
          { timeoutMs: LAST_WORDS_MS, intervalMs: 10 },
        ).catch(() => {});
      yield* readLogs({ stdout, stderr }, logOptions);
    },
    async ownerIn(id, image, user) {
      const { images } = machine;
      if (images === undefined) throw invalid(id, "image", WITHOUT_IMAGES);
      const own = user ?? (await images.program(image)).user;
      const { uid, gid } = await userOf(images, await images.root(id, image), { user: own || "0" });
      return { uid, gid };
    },
    attach: (id, argv, attachOptions = {}) => attachInside(machine, at(id), argv, attachOptions),
    exec: (...call) => execBy(runtime.attach, ...call),
    async stats(id) {
      const paths = at(id);
      if ((await readRecord(paths)) === undefined) throw missing(id);
      const stats = await cgroups.stats(paths.cgroup);
      if (stats === undefined) {
        throw new PloyzError({
          code: "stats_unavailable",
          message: `there are no counters for ${id}`,
          hint: "is it running, and are cgroups available here (facts)?",
        });
      }
      return stats;
    },
    async adopt() {
      const known = new Set(await listIds(machine.layout));
      await tidyBinds(machine.bindDir, known);
      for (const id of (await machine.images?.roots()) ?? [])
        if (!known.has(id)) await machine.images?.removeRoot(id); // its instance was removed, or never made
      const adopted: string[] = [];
      const dead: string[] = [];
      for (const id of await listIds(machine.layout)) {
        const paths = at(id);
        const record = await readRecord(paths).catch(() => null);
        if (record === null) {
          dead.push(id); // its record is unreadable: starting it reports that
          continue;
        }
        if (record === undefined) {
          await machine.images?.removeRoot(id);
          await rm(dirname(paths.spec), { recursive: true, force: true }); // died within create: nothing was started
          continue;
        }
        const state = await readState(paths);
        if (!state.wanted || (record.spec.restart === "no" && state.exitCode !== undefined)) continue;
        ((await isSupervised(paths.service)) ? adopted : dead).push(id);
      }
      return { adopted, dead };
    },
  };
  return runtime;
}

const WITHOUT_IMAGES = "needs images, which this runtime was opened without";

/** Makes the instance's copy of the image's files, and the spec whole. Without a record a copy is removed by `adopt`. */
async function fromImage({ images }: Instances, spec: InstanceSpec, image: string): Promise<InstanceSpec> {
  if (images === undefined) throw invalid(spec.id, "image", WITHOUT_IMAGES);
  if (spec.bundle !== undefined) throw invalid(spec.id, "bundle", "excludes an image");
  const program = await images.program(image);
  const whole = checkSpec(withProgram(spec, program));
  try {
    const root = await images.root(spec.id, image);
    await completeRoot(images, root, program);
    await userOf(images, root, whole);
    return whole;
  } catch (error) {
    await images.removeRoot(spec.id);
    throw error;
  }
}

/** Listed, so that it is seen and can be removed. */
function damaged(id: string): InstanceStatus {
  return { id, labels: {}, state: "exited", identity: "" };
}
