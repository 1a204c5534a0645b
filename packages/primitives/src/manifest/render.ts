import { stringify } from "smol-toml";
import type { Commit, JobSpec, RouteSpec, ServiceSpec, Volume, VolumeSpec } from "../model/commit.ts";
import type { Json } from "../model/json.ts";
import { renderBackup } from "./backup.ts";
import { renderContainer } from "./container.ts";
import { DEFAULTS } from "./defaults.ts";
import { renderHostPorts } from "./host-ports.ts";
import { renderLiveness, renderReady } from "./probe.ts";
import { renderOptions } from "./route-options.ts";
import { renderSchedule } from "./schedule.ts";
import { formatDuration, formatSize } from "./units.ts";

/** The part of a commit that a manifest says. */
export type Rendered = Pick<Commit, "namespace" | "services" | "jobs" | "allowRoutesFrom"> & {
  readonly volumes: readonly Pick<Volume, "name" | "spec">[];
};

/**
 * A commit as a manifest (TOML), defaults left out. Images are named as they were: a tag may mean another image by now, unless the
 * reference has a digest. A bundle has its digest in place of a path, which deploys as long as a machine has it.
 */
export function renderManifest(commit: Rendered): string {
  const jobs = Object.entries(commit.jobs).map(([name, { spec }]) => [name, renderJob(spec)]);
  const volumes = commit.volumes.map(({ name, spec }) => [name, renderVolume(spec)]);
  const text = stringify({
    namespace: commit.namespace,
    ...(commit.allowRoutesFrom && { allow_routes_from: [...commit.allowRoutesFrom] }),
    services: Object.fromEntries(
      Object.entries(commit.services).flatMap(([name, { spec, canary }]) =>
        canary ? [] : [[name, renderService(spec)]],
      ),
    ),
    ...(jobs.length > 0 && { jobs: Object.fromEntries(jobs) }),
    ...(volumes.length > 0 && { volumes: Object.fromEntries(volumes) }),
  });
  // In strings only, and TOML takes them as they are; a terminal should not.
  return text.replaceAll(/[\u0080-\u009f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
}

/** A service in the words of a manifest, to tell what of it changed: with defaults, and with the image that its reference stands for. */
export function manifestFields(spec: ServiceSpec): Json {
  const { image, placement, update } = spec;
  return {
    ...(placement.kind === "replicas" && { replicas: placement.count }),
    ...{ drain: formatDuration(spec.drainMs), stop_grace: formatDuration(spec.stopGraceMs), update },
    ...renderService(spec),
    ...(image && { image: { ...image } }),
    // Always tables: a difference names variables and files, without their values.
    ...{ env: spec.env, files: spec.files ?? {} },
  };
}

function renderService(spec: ServiceSpec) {
  const { placement } = spec;
  const stopFirst = Object.keys(spec.volumes).length > 0 || spec.hostPorts !== undefined;
  return {
    ...renderWorkload(spec),
    ...(placement.kind === "every-machine"
      ? { placement: "every-machine" }
      : {
          ...(placement.count !== DEFAULTS.replicas && { replicas: placement.count }),
          ...(placement.spread && { spread: placement.spread }),
        }),
    ...filled("ports", spec.ports),
    ...renderHostPorts(spec.hostPorts),
    ...(spec.routes.length > 0 && { routes: spec.routes.map(renderRoute) }),
    ...(spec.allowFrom && { allow_from: [...spec.allowFrom] }),
    ...renderReady(spec.ready),
    ...renderLiveness(spec.liveness),
    ...(spec.drainMs !== DEFAULTS.drainMs && { drain: formatDuration(spec.drainMs) }),
    ...((spec.update === "stop-first") !== stopFirst && { update: spec.update }),
    ...filled("volumes", spec.volumes),
  };
}

function renderJob(spec: JobSpec) {
  const { timeoutMs, schedule } = spec;
  return {
    ...renderWorkload(spec),
    ...(timeoutMs !== DEFAULTS.jobTimeoutMs && { timeout: formatDuration(timeoutMs) }),
    ...(schedule && { schedule: renderSchedule(schedule) }),
  };
}

function renderWorkload(spec: ServiceSpec | JobSpec) {
  const { image, bundle, entrypoint, command, user, after, resources, constraints } = spec;
  const { workingDir, stopSignal, stopGraceMs } = spec;
  return {
    ...(image && { image: image.ref }),
    ...(bundle && { bundle: bundle.digest }),
    ...(entrypoint && { entrypoint: [...entrypoint] }),
    ...(command && { command: [...command] }),
    ...filled("env", spec.env),
    ...(user !== undefined && { user }),
    ...(after.length > 0 && { after: [...after] }),
    ...(resources && {
      resources: {
        ...(resources.cpus !== undefined && { cpus: resources.cpus }),
        ...(resources.memoryBytes !== undefined && { memory: formatSize(resources.memoryBytes) }),
        ...(resources.pids !== undefined && { pids: resources.pids }),
      },
    }),
    ...(constraints && { constraints: { ...constraints } }),
    ...(workingDir !== undefined && { working_dir: workingDir }),
    ...(stopSignal !== undefined && { stop_signal: stopSignal }),
    ...renderContainer(spec),
    ...(stopGraceMs !== DEFAULTS.stopGraceMs && { stop_grace: formatDuration(stopGraceMs) }),
  };
}

/** Fields of a volume, as a manifest names them. */
export function renderVolume({ scope, quotaBytes, recordsizeBytes, snapshots, standby, backup }: VolumeSpec) {
  return {
    ...(scope !== "single" && { scope }),
    ...(quotaBytes !== undefined && { quota: formatSize(quotaBytes) }),
    ...(recordsizeBytes !== undefined && { recordsize: formatSize(recordsizeBytes) }),
    ...(snapshots && {
      snapshots: { ...renderSchedule(snapshots.schedule), keep: { ...snapshots.keep } },
    }),
    ...(backup && { backup: renderBackup(backup) }),
    ...(standby && {
      standby: {
        machines: [...standby.machines],
        ...(standby.everyMs !== DEFAULTS.standbyMs && { every: formatDuration(standby.everyMs) }),
      },
    }),
  };
}

function renderRoute(route: RouteSpec) {
  if (route.kind !== "http") return { [route.kind]: route.listen, port: route.port };
  const { host, path, port, tls, http, redirect, options } = route;
  return {
    ...{ host, ...(path !== "/" && { path }) },
    ...(redirect
      ? {
          redirect: redirect.to,
          ...(redirect.status !== DEFAULTS.redirectStatus && { status: redirect.status }),
        }
      : port !== undefined && { port }),
    ...(tls && { tls }),
    ...(http !== undefined && { http }),
    ...renderOptions(options),
  };
}

function filled<T>(key: string, table: Readonly<Record<string, T>>) {
  return Object.keys(table).length > 0 ? { [key]: { ...table } } : {};
}
