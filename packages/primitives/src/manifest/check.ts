import type { Refusal } from "../error-codes.ts";
import { didYouMean } from "../model/did-you-mean.ts";
import { invalid, type Segment } from "../model/field.ts";
import { shown } from "../model/names.ts";
import { checkBackup } from "./backup.ts";
import { checkDuration, checkVolumeBounds, checkWorkloadBounds } from "./bounds.ts";
import { checkPort, checkRoute, checkRoutes } from "./check-routes.ts";
import { checkContainer } from "./container.ts";
import { checkHostPorts } from "./host-ports.ts";
import { checkLiveness, checkReady } from "./probe.ts";
import { checkKeep, checkSchedule } from "./schedule.ts";
import type { Manifest, ManifestJob, ManifestService } from "./schema.ts";
import { checkTargets } from "./targets.ts";

/** Rules beyond the schema: references between names, exclusive fields, duplicates, cycles. Expects a document of the right shape. */
export function checkMeaning(manifest: Manifest): readonly Refusal[] {
  const services = Object.entries(manifest.services ?? {});
  const jobs = Object.entries(manifest.jobs ?? {});
  const refusals: Refusal[] = [];
  if (services.length + jobs.length === 0)
    refusals.push(invalid(["services"], "the manifest names no service and no job"));
  for (const [name, service] of services) {
    const at = ["services", name];
    refusals.push(...checkWorkload(at, service), ...checkService(at, service, manifest));
  }
  for (const [name, job] of jobs) {
    const at = ["jobs", name];
    if (Object.hasOwn(manifest.services ?? {}, name))
      refusals.push(invalid(at, `a service is called ${shown(name)} too`, "give one of them another name"));
    refusals.push(
      ...checkWorkload(at, job),
      ...checkDuration([...at, "timeout"], job.timeout, 1),
      ...checkSchedule([...at, "schedule"], job.schedule),
    );
    if (job.schedule !== undefined && job.after !== undefined)
      refusals.push(invalid([...at, "after"], "is not for a job with a `schedule`", "leave `after` out"));
  }
  refusals.push(
    ...checkRoutes(services),
    ...checkVolumes(services, manifest),
    ...checkOrder(
      new Map<string, Node>([...services.map(node("services")), ...jobs.map(node("jobs"))]),
      new Set(jobs.flatMap(([name, { schedule }]) => (schedule === undefined ? [] : [name]))),
    ),
  );
  return refusals;
}

function checkWorkload(at: readonly Segment[], spec: ManifestService | ManifestJob): Refusal[] {
  const refusals: Refusal[] = [
    ...checkWorkloadBounds(at, spec),
    ...checkContainer(at, spec),
    ...checkTargets(at, spec),
    ...checkDuration([...at, "stop_grace"], spec.stop_grace),
  ];
  if (spec.env_file !== undefined)
    refusals.push(
      invalid([...at, "env_file"], "is read by `ployzctl deploy` only", "put its values into `env`"),
    );
  const given = (["image", "build", "bundle"] as const).filter((field) => spec[field] !== undefined);
  const [first, second] = given;
  if (first === undefined)
    refusals.push(invalid(at, "needs an `image` or a `build` (a container), or a `bundle` (a host process)"));
  if (second !== undefined)
    refusals.push(invalid([...at, second], `excludes \`${first}\``, "keep one of them"));
  if (spec.entrypoint !== undefined && spec.bundle !== undefined)
    refusals.push(invalid([...at, "entrypoint"], "needs an `image`", "a bundle's program is its `command`"));
  if (spec.entrypoint?.[0] === "") refusals.push(invalid([...at, "entrypoint", 0], "must not be empty"));
  if (spec.bundle !== undefined) {
    const program = spec.command?.[0];
    if (program === undefined)
      refusals.push(
        invalid([...at, "command"], "is required with a `bundle`", 'for example ["node", "server.js"]'),
      );
    else if (!/^[^-\s\p{Cc}][^\p{Cc}]*$/u.test(program))
      refusals.push(invalid([...at, "command", 0], `${shown(program)} is not a program's name`));
  } else if (spec.command?.[0] === "" && spec.entrypoint === undefined)
    refusals.push(invalid([...at, "command", 0], "must not be empty"));
  return refusals;
}

function checkService(at: readonly Segment[], service: ManifestService, manifest: Manifest): Refusal[] {
  const refusals: Refusal[] = [...checkDuration([...at, "drain"], service.drain)];
  if (service.replicas !== undefined && service.placement !== undefined)
    refusals.push(
      invalid([...at, "replicas"], 'excludes `placement = "every-machine"`', "keep one of the two"),
    );
  if (service.spread !== undefined && service.placement !== undefined)
    refusals.push(
      invalid([...at, "spread"], 'excludes `placement = "every-machine"`', "keep one of the two"),
    );
  if (service.ready !== undefined) refusals.push(...checkReady([...at, "ready"], service.ready, service));
  refusals.push(...checkLiveness([...at, "liveness"], service.liveness, service));
  for (const [index, route] of (service.routes ?? []).entries())
    refusals.push(...checkRoute([...at, "routes", index], route, service));
  refusals.push(
    ...checkHostPorts([...at, "host_ports"], service, (one, port) => checkPort(one, port, service, "to")),
  );
  for (const name of Object.keys(service.volumes ?? {})) {
    if (!Object.hasOwn(manifest.volumes ?? {}, name))
      refusals.push(invalid([...at, "volumes", name], "no such volume", `add [volumes.${name}]`));
  }
  return refusals;
}

function checkVolumes(
  services: readonly (readonly [string, ManifestService])[],
  manifest: Manifest,
): Refusal[] {
  const refusals: Refusal[] = [];
  for (const [name, volume] of Object.entries(manifest.volumes ?? {}))
    refusals.push(
      ...checkVolumeBounds(["volumes", name], volume),
      ...checkSchedule(["volumes", name, "snapshots"], volume.snapshots),
      ...checkKeep(["volumes", name, "snapshots", "keep"], volume.snapshots?.keep, "for example last = 8"),
      ...checkDuration(["volumes", name, "standby", "every"], volume.standby?.every, 1000),
      ...checkBackup(name, volume.backup, manifest),
    );
  const users = new Map<string, string>();
  for (const [name, service] of services) {
    for (const volume of Object.keys(service.volumes ?? {})) {
      const spec = own(manifest.volumes, volume);
      if (spec === undefined) continue;
      if (service.placement !== undefined)
        refusals.push(
          invalid(
            ["services", name, "placement"],
            `is every-machine, but volume ${shown(volume)} is on one machine`,
          ),
        );
      if (spec.scope === "shared") continue;
      const single = `volume ${shown(volume)} has a single writer`;
      if ((service.replicas ?? 1) > 1)
        refusals.push(
          invalid(["services", name, "replicas"], `is ${service.replicas}, but ${single}`, "use 1"),
        );
      const user = users.get(volume);
      if (user !== undefined)
        refusals.push(invalid(["services", name, "volumes", volume], `${single}: services.${user} uses it`));
      else users.set(volume, name);
    }
    const single = Object.keys(service.volumes ?? {}).some(
      (volume) => own(manifest.volumes, volume)?.scope !== "shared",
    );
    if (service.update === "start-first" && single)
      refusals.push(
        invalid(
          ["services", name, "update"],
          "start-first would run two writers on a volume",
          'use "stop-first"',
        ),
      );
  }
  return refusals;
}

function own<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}

type Node = { readonly at: readonly Segment[]; readonly after: readonly string[] };

function node(kind: string) {
  return ([name, spec]: readonly [string, ManifestService | ManifestJob]): [string, Node] => [
    name,
    { at: [kind, name, "after"], after: spec.after ?? [] },
  ];
}

function checkOrder(nodes: ReadonlyMap<string, Node>, scheduled: ReadonlySet<string>): Refusal[] {
  const refusals: Refusal[] = [];
  for (const { at, after } of nodes.values()) {
    for (const [index, name] of after.entries()) {
      if (scheduled.has(name))
        refusals.push(
          invalid([...at, index], `${shown(name)} has a \`schedule\`, and does not run in a deploy`),
        );
      if (nodes.has(name)) continue;
      const near = didYouMean(name, [...nodes.keys()]);
      const hint =
        near === undefined ? "name a service or job of this manifest" : `did you mean \`${near}\`?`;
      refusals.push(invalid([...at, index], `no service or job is called ${shown(name)}`, hint));
    }
  }
  const cycle = findCycle(nodes);
  if (cycle) {
    const first = nodes.get(cycle[0] ?? "");
    refusals.push(
      invalid(first?.at ?? [], `these wait for each other: ${cycle.join(" → ")}`, "remove one `after`"),
    );
  }
  return refusals;
}

/** Depth first; the first cycle found, closed: `a → b → a`. Without recursion: a manifest may name a thousand services in a row. */
function findCycle(nodes: ReadonlyMap<string, Node>): readonly string[] | undefined {
  const finished = new Set<string>();
  for (const root of nodes.keys()) {
    const path: { readonly name: string; next: number }[] = [{ name: root, next: 0 }];
    while (path.length > 0) {
      const top = path[path.length - 1];
      if (top === undefined || finished.has(top.name)) {
        path.pop();
        continue;
      }
      const child = nodes.get(top.name)?.after[top.next];
      top.next += 1;
      if (child === undefined) {
        finished.add(top.name);
        path.pop();
        continue;
      }
      const loop = path.findIndex((step) => step.name === child);
      if (loop >= 0) return [...path.slice(loop).map((step) => step.name), child];
      path.push({ name: child, next: 0 });
    }
  }
  return undefined;
}
