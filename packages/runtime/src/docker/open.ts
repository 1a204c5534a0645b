import { arch } from "node:os";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type Docker from "dockerode";
import { stageBinds, stagedBinds, tidyBinds, unstageBinds } from "../binds.ts";
import { execBy } from "../collect.ts";
import { readDevices } from "../devices.ts";
import { PloyzError } from "../error-codes.ts";
import { checkAddress } from "../network/addresses.ts";
import { networkFaults } from "../network/faults.ts";
import { architecture, disk, memory } from "../process/host-facts.ts";
import type { InstanceStatus, NetworkSpec, Runtime } from "../runtime.ts";
import {
  checkId,
  checkRights,
  checkSpec,
  conflict,
  type Forbids,
  hasLabels,
  instanceIdentity,
  invalid,
  isNotRoot,
  missing,
  rootRefused,
} from "../spec.ts";
import { userInImage } from "./accounts.ts";
import { containerOptions, identityLabel, type LastEnd, settingsOf, statusFrom } from "./container.ts";
import { engine, engineUnless, statusOf } from "./errors.ts";
import { attachToContainer } from "./exec.ts";
import { dockerImages } from "./images.ts";
import { containerLogs, followLives } from "./logs.ts";
import { ensureDockerNetwork, removeDockerNetwork } from "./network.ts";

/** The engine's socket, and rules for its containers. */
export interface DockerRuntimeOptions {
  /** Default /var/run/docker.sock. */
  readonly socketPath?: string;
  /** Default `ployz.`; marks the containers that are ours. */
  readonly labelPrefix?: string;
  readonly log?: { readonly maxBytes: number; readonly maxFiles: number };
  /** TCP ports of machines that no workload may reach. */
  readonly controlPorts?: readonly number[];
  /** Start only containers whose user is a number other than 0: an image decides what a name means in it. Default: start any. */
  readonly refuseRoot?: boolean;
  /** Why no instance with these settings is started here. Default: every one is. */
  readonly forbids?: Forbids;
  /** Where files and folders of the machine are mounted for containers; on a tmpfs such as /run. Without it they are refused. */
  readonly bindDir?: string;
  /** The engine's id of an image, by its manifest's digest. */
  readonly imageId?: (digest: string) => Promise<string | undefined>;
}

/** Workloads as containers of this machine's Docker engine (API 1.41 or newer). @throws PloyzError `docker_unavailable` */
export async function openDockerRuntime(options: DockerRuntimeOptions = {}): Promise<Runtime> {
  // Loaded only where Docker is used: with what it brings it takes some 15 MB of a daemon.
  const { default: Engine } = await import("dockerode");
  const docker = new Engine({ socketPath: options.socketPath ?? "/var/run/docker.sock" });
  const prefix = options.labelPrefix ?? "ployz.";
  const log = options.log ?? { maxBytes: 1024 * 1024, maxFiles: 10 };
  await engine("ping", () => docker.ping());
  let known: NetworkSpec | undefined;

  const info = (id: string) =>
    engineUnless([404], `inspect ${id}`, () => docker.getContainer(checkId(id)).inspect());
  const inspect = async (id: string): Promise<InstanceStatus> => {
    const found = await info(id);
    const ours = found?.Config.Labels?.[identityLabel(prefix)] !== undefined;
    return found === undefined || !ours
      ? { id, labels: {}, state: "absent", identity: "" }
      : statusFrom(found, prefix, await lastEnd(docker, found));
  };
  const present = async (id: string): Promise<InstanceStatus> => {
    const status = await inspect(id);
    if (status.state === "absent") throw missing(id);
    return status;
  };
  const network = (): NetworkSpec => {
    if (known !== undefined) return known;
    throw new PloyzError({
      code: "network_missing",
      message: "this machine has no network for instances yet",
      hint: "ensureNetwork comes first",
    });
  };

  const images = dockerImages(docker, options.imageId);
  const runtime: Runtime = {
    kind: "docker",
    images,
    async facts() {
      const engineInfo = await engine("info", () => docker.info());
      return {
        kind: "docker",
        version: engineInfo.ServerVersion,
        arch: architecture(engineInfo.Architecture),
        cpus: engineInfo.NCPU,
        ...(await memory()),
        ...(await disk(engineInfo.DockerRootDir)),
        cgroups: engineInfo.CgroupVersion === "2" ? "v2" : "v1",
        limits: engineInfo.MemoryLimit && engineInfo.CpuCfsQuota,
      };
    },
    async ensureNetwork(spec) {
      await ensureDockerNetwork(docker, spec, options.controlPorts ?? [], prefix);
      known = spec;
    },
    networkFaults: ({ bridge, subnet, gateway, clusterCidr }) =>
      networkFaults({ bridge, subnet, gateway, clusterCidr }, options.controlPorts ?? []),
    async removeNetwork(spec) {
      await removeDockerNetwork(docker, spec);
      known = undefined;
    },
    async create(spec) {
      checkSpec(spec);
      if (spec.bundle !== undefined)
        throw invalid(spec.id, "bundle", "needs the process runtime; a container has an image");
      if (spec.image === undefined || spec.image === "") throw invalid(spec.id, "image", "is missing");
      checkAddress(network(), spec.address);
      if (options.refuseRoot === true && !isNotRoot(spec.user)) throw rootRefused(spec.id);
      await checkRights(spec.id, spec.container, options.forbids);
      const image = (await images.resolve(spec.image))?.id ?? spec.image;
      const settings = spec.container ?? {};
      const binds = stagedBinds(options.bindDir, spec.id, settings);
      // The engine wants to see them. They are mounted again at the start.
      if ((await info(spec.id)) === undefined)
        await stageBinds(options.bindDir, spec.id, settings, options.forbids);
      await readDevices(spec.id, settings);
      const defaults = {
        ...{ image, labelPrefix: prefix, network: network().bridge, log, binds },
        arch: architecture(arch()),
      };
      // 409: the name is taken; whether by the same instance, is compared below.
      await engineUnless([409], `create ${spec.id}`, () =>
        docker.createContainer(containerOptions(spec, defaults)),
      );
      const status = await present(spec.id).catch((error: unknown) => {
        // The name is taken by a container that is not ours.
        throw (error as PloyzError).code === "instance_missing" ? conflict(spec.id) : error;
      });
      if (status.identity !== instanceIdentity(spec)) throw conflict(spec.id);
      return status;
    },
    async start(id) {
      const found = await info(id);
      if (found === undefined) throw missing(id);
      if (options.refuseRoot === true && !isNotRoot(found.Config.User)) throw rootRefused(id);
      const settings = settingsOf(found.Config.Labels, prefix);
      const job = found.HostConfig.RestartPolicy?.Name !== "unless-stopped";
      const begun = !found.State.StartedAt.startsWith("0001-");
      if (job && begun) return present(id);
      if (!found.State.Running) {
        await checkRights(id, settings, options.forbids);
        await stageBinds(options.bindDir, id, settings, options.forbids);
      }
      await engineUnless([304], `start ${id}`, () => docker.getContainer(id).start());
      return present(id);
    },
    async stop(id, { graceMs, signal } = {}) {
      checkId(id);
      const asked = {
        ...(graceMs !== undefined && { t: Math.ceil(graceMs / 1000) }),
        ...(signal !== undefined && { signal }),
      };
      await engineUnless([304, 404], `stop ${id}`, () => docker.getContainer(id).stop(asked));
    },
    async remove(id) {
      if ((await inspect(id)).state !== "absent")
        // 409: a removal is already running; the engine finishes it.
        await engineUnless([404, 409], `remove ${id}`, () =>
          docker.getContainer(id).remove({ force: true, v: true }),
        );
      await unstageBinds(options.bindDir, id);
    },
    async wait(id, signal) {
      for (;;) {
        signal.throwIfAborted();
        const status = await present(id);
        if (status.state === "exited") return { exitCode: status.exitCode ?? 0 };
        if (status.state === "created") {
          throw new PloyzError({
            code: "instance_not_started",
            message: `instance ${id} is not running and has no exit code`,
            hint: "start it first",
          });
        }
        try {
          await docker.getContainer(id).wait({ condition: "not-running", abortSignal: signal });
        } catch (error) {
          signal.throwIfAborted();
          if (statusOf(error) !== 404) await engine(`wait for ${id}`, () => Promise.reject(error as Error));
        }
      }
    },
    inspect,
    async list(labels = {}) {
      const filters = {
        label: [identityLabel(prefix), ...Object.entries(labels).map(([k, v]) => `${prefix}${k}=${v}`)],
      };
      const found = await engine("list containers", () => docker.listContainers({ all: true, filters }));
      const ids = found.map(({ Names }) => (Names[0] ?? "").replace(/^\//, "")).sort();
      const statuses = await Promise.all(ids.map(inspect));
      return statuses.filter((status) => status.state !== "absent" && hasLabels(status.labels, labels));
    },
    async *logs(id, logOptions = {}) {
      await present(id);
      yield* logOptions.follow === true
        ? followLives(docker, id, logOptions)
        : containerLogs(docker, id, logOptions);
    },
    async ownerIn(id, image, user) {
      const found = await images.resolve(image);
      const own = user ?? found?.user ?? "0";
      return userInImage(docker, { name: `${checkId(id)}.accounts`, image: found?.id ?? image, user: own });
    },
    attach: (id, argv, attachOptions = {}) => attachToContainer(docker, checkId(id), argv, attachOptions),
    exec: (...call) => execBy(runtime.attach, ...call),
    async stats(id) {
      await present(id);
      const stats = await engine(`stats of ${id}`, () =>
        docker.getContainer(id).stats({ stream: false, "one-shot": true }),
      );
      const detail = stats.memory_stats.stats;
      const cache = detail?.inactive_file ?? detail?.total_inactive_file ?? 0;
      const usage = stats.memory_stats.usage;
      if (usage === undefined) {
        throw new PloyzError({
          code: "stats_unavailable",
          message: `there are no counters for ${id}`,
          hint: "is it running?",
        });
      }
      return { cpuNanos: stats.cpu_stats.cpu_usage.total_usage, memoryBytes: Math.max(0, usage - cache) };
    },
    async adopt() {
      const adopted: string[] = [];
      const dead: string[] = [];
      const found = await runtime.list();
      await tidyBinds(options.bindDir, new Set(found.map(({ id }) => id)));
      for (const { id, state } of found) {
        if (state === "running") adopted.push(id);
        // Stopped on purpose, or ended by itself: with unless-stopped the engine tells them apart only by restarting the latter.
        else if (state === "exited" && (await diedWithEngine(docker, id))) dead.push(id);
      }
      return { adopted, dead };
    },
  };
  return runtime;
}

/**
 * How the life before this one ended: a running container's own fields are new again. The engine keeps its last 256 events; `undefined`
 * when this one is no longer among them.
 */
async function lastEnd(docker: Docker, info: Docker.ContainerInspectInfo): Promise<LastEnd> {
  if (!info.State.Running || info.State.Restarting || info.RestartCount === 0) return {};
  const seconds = (time: string) => Date.parse(time) / 1000;
  const filters = { container: [info.Id], event: ["die", "oom"] };
  const until = seconds(info.State.StartedAt); // past: the engine answers at once, and ends
  const events = await engine("past events", () =>
    docker.getEvents({ since: seconds(info.Created), until, filters }),
  ).catch(() => undefined);
  let end: LastEnd = {};
  if (events === undefined) return end;
  for await (const line of createInterface({ input: events as Readable })) {
    const { Action, Actor } = JSON.parse(line) as {
      Action?: string;
      Actor?: { Attributes?: { exitCode?: string } };
    };
    const exitCode = Actor?.Attributes?.exitCode;
    if (Action === "oom") end = { ...end, oomKilled: true };
    else if (exitCode !== undefined) end = { ...end, exitCode: Number(exitCode) };
  }
  return end;
}

/** A container that the engine could not start again after a reboot says so in its state. */
async function diedWithEngine(docker: Docker, id: string): Promise<boolean> {
  const found = await engineUnless([404], `inspect ${id}`, () => docker.getContainer(id).inspect());
  return found?.HostConfig.RestartPolicy?.Name === "unless-stopped" && found.State.Error !== "";
}
