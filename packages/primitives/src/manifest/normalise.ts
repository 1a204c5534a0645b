import type { JobSpec, RouteSpec, ServiceSpec, VolumeSpec } from "../model/commit.ts";
import { normalPath, routeKey } from "../model/route-place.ts";
import { normalBackup } from "./backup.ts";
import { normalContainer } from "./container.ts";
import { DEFAULTS } from "./defaults.ts";
import { normalHostPorts } from "./host-ports.ts";
import { normalLiveness, normalReady } from "./probe.ts";
import { normalOptions } from "./route-options.ts";
import { normalSchedule } from "./schedule.ts";
import type { Manifest, ManifestJob, ManifestRoute, ManifestService } from "./schema.ts";
import { durationMs, sizeBytes } from "./units.ts";

/** A workload before digests are known: the image by reference, the bundle by path. */
type Unresolved<Spec> = Omit<Spec, "image" | "bundle"> & {
  readonly image?: string;
  readonly bundle?: string;
};
export type ServiceDraft = Unresolved<ServiceSpec>;
export type JobDraft = Unresolved<JobSpec>;

/** A manifest with every default filled in. */
export type NormalManifest = {
  readonly namespace: string;
  readonly services: Readonly<Record<string, ServiceDraft>>;
  readonly jobs: Readonly<Record<string, JobDraft>>;
  readonly volumes: Readonly<Record<string, VolumeSpec>>;
  readonly allowRoutesFrom?: readonly string[];
};

/** Every default filled in, every unit converted. Expects a checked manifest; equal manifests give equal results, key order included. */
export function normalise(manifest: Manifest): NormalManifest {
  return {
    namespace: manifest.namespace,
    services: sorted(manifest.services ?? {}, normalService),
    jobs: sorted(manifest.jobs ?? {}, normalJob),
    volumes: sorted(manifest.volumes ?? {}, normalVolume),
    ...(manifest.allow_routes_from?.length && { allowRoutesFrom: [...manifest.allow_routes_from].sort() }),
  };
}

function normalService(service: ManifestService): ServiceDraft {
  const ports = sorted(service.ports ?? {}, (port) => port);
  const volumes = sorted(service.volumes ?? {}, (path) => path);
  const hostPorts = normalHostPorts(service, ports);
  const alone = Object.keys(volumes).length > 0 || hostPorts.length > 0;
  return {
    ...normalWorkload(service),
    placement:
      service.placement === "every-machine"
        ? { kind: "every-machine" }
        : {
            kind: "replicas",
            count: service.replicas ?? DEFAULTS.replicas,
            ...(service.spread !== undefined && { spread: service.spread }),
          },
    ports,
    ...(hostPorts.length > 0 && { hostPorts }),
    ready: normalReady(service.ready, ports),
    ...(service.liveness !== undefined && { liveness: normalLiveness(service.liveness, ports) }),
    drainMs: ms(service.drain, DEFAULTS.drainMs),
    update: service.update ?? (alone ? "stop-first" : "start-first"),
    volumes,
    routes: (service.routes ?? [])
      .map((route) => normalRoute(route, ports))
      .sort((left, right) => compare(routeKey(left), routeKey(right))),
    ...(service.allow_from !== undefined &&
      service.allow_from.length > 0 && { allowFrom: [...service.allow_from].sort(compare) }),
  };
}

function normalRoute(route: ManifestRoute, ports: Readonly<Record<string, number>>): RouteSpec {
  const port = portName(route.port, ports);
  if (route.tcp !== undefined) return { kind: "tcp", listen: route.tcp, port };
  if (route.udp !== undefined) return { kind: "udp", listen: route.udp, port };
  const place = {
    ...{ kind: "http" as const, host: route.host ?? "", path: normalPath(route.path) },
    ...(route.tls === true && { tls: true as const }),
    ...(route.tls === true && route.http === "serve" && { http: "serve" as const }),
  };
  if (route.redirect !== undefined)
    return { ...place, redirect: { to: route.redirect, status: route.status ?? DEFAULTS.redirectStatus } };
  return { ...place, port, ...normalOptions(route) };
}

function normalVolume({
  scope,
  quota,
  recordsize,
  snapshots,
  standby,
  backup,
}: NonNullable<Manifest["volumes"]>[string]): VolumeSpec {
  return {
    scope: scope ?? "single",
    ...(quota !== undefined && { quotaBytes: sizeBytes(quota) ?? 0 }),
    ...(recordsize !== undefined && { recordsizeBytes: sizeBytes(recordsize) ?? 0 }),
    ...(snapshots !== undefined && {
      snapshots: { schedule: normalSchedule(snapshots), keep: { ...snapshots.keep } },
    }),
    ...(backup !== undefined && { backup: normalBackup(backup) }),
    ...(standby !== undefined && {
      standby: {
        machines: [...standby.machines].sort(compare),
        everyMs: ms(standby.every, DEFAULTS.standbyMs),
      },
    }),
  };
}

function normalJob(job: ManifestJob): JobDraft {
  return {
    ...normalWorkload(job),
    timeoutMs: ms(job.timeout, DEFAULTS.jobTimeoutMs),
    ...(job.schedule !== undefined && { schedule: normalSchedule(job.schedule) }),
  };
}

function normalWorkload(spec: ManifestService | ManifestJob) {
  const { constraints, resources } = spec;
  return {
    ...(spec.image !== undefined && { image: spec.image }),
    ...(spec.bundle !== undefined && { bundle: spec.bundle }),
    ...(spec.entrypoint !== undefined && { entrypoint: spec.entrypoint }),
    ...(spec.command !== undefined && { command: spec.command }),
    ...(spec.working_dir !== undefined && { workingDir: spec.working_dir }),
    ...(spec.stop_signal !== undefined && { stopSignal: spec.stop_signal }),
    env: sorted(spec.env ?? {}, (value) => value),
    ...(spec.user !== undefined && { user: spec.user }),
    ...(constraints !== undefined &&
      Object.keys(constraints).length > 0 && {
        constraints: {
          ...(constraints.region !== undefined && { region: constraints.region }),
          ...(constraints.az !== undefined && { az: constraints.az }),
          ...(constraints.arch !== undefined && { arch: constraints.arch }),
          ...(constraints.machines !== undefined && { machines: [...constraints.machines].sort() }),
          ...(constraints.labels !== undefined && { labels: sorted(constraints.labels, (value) => value) }),
        },
      }),
    ...(resources !== undefined &&
      Object.keys(resources).length > 0 && {
        resources: {
          ...(resources.cpus !== undefined && { cpus: resources.cpus }),
          ...(resources.memory !== undefined && { memoryBytes: sizeBytes(resources.memory) ?? 0 }),
          ...(resources.pids !== undefined && { pids: resources.pids }),
        },
      }),
    ...normalContainer(spec),
    after: [...(spec.after ?? [])].sort(),
    stopGraceMs: ms(spec.stop_grace, DEFAULTS.stopGraceMs),
  };
}

/** The check made sure that there is exactly one when none is named. */
function portName(port: string | undefined, ports: Readonly<Record<string, number>>): string {
  return port ?? Object.keys(ports)[0] ?? "";
}

function ms(text: string | undefined, fallback: number): number {
  return text === undefined ? fallback : (durationMs(text) ?? fallback);
}

function sorted<T, U>(
  record: Readonly<Record<string, T>>,
  map: (value: T) => U,
): Readonly<Record<string, U>> {
  return Object.fromEntries(
    Object.entries(record)
      .sort(([left], [right]) => compare(left, right))
      .map(([key, value]) => [key, map(value)]),
  );
}

/** By code unit, whatever the locale. */
function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
