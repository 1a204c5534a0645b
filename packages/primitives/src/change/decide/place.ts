import type { Refusal } from "../../engine/types.ts";
import type { ContainerSpec, HostPort, JobSpec, ServiceSpec } from "../../model/commit.ts";
import { instanceClaims, type PortClaim } from "../../model/host-ports.ts";
import type { MachineRecord } from "../../model/machine.ts";
import { own } from "../../model/own.ts";
import { type Allowed, forbidden, mayBeRoot, NOTHING_ALLOWED } from "../../model/rights.ts";
import type { Found, MachineFact } from "../observe/facts.ts";
import { type MachinePorts, portsOf, unfitHostPorts } from "./host-ports.ts";

/** A machine as placement sees it; `instances` and `memoryFreeBytes` include the placements so far. */
export type Host = {
  readonly id: string;
  readonly runtime: "docker" | "process";
  /** Whether it runs images: Docker does, and the process runtime where its observation says so. */
  readonly images: boolean;
  /** Absent: it does not answer. */
  readonly arch: string | undefined;
  readonly region: string | undefined;
  readonly az: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Why it does not answer; absent: it does. */
  readonly unreachable: string | undefined;
  /** Why it receives no new instances. */
  readonly closed: "draining" | "standby" | undefined;
  /** Bytes that may still be promised to volumes, after the placements so far; absent: no volumes there. */
  promisableBytes: number | undefined;
  readonly cpus: number;
  /** Rights that its configuration refuses to workloads. */
  readonly refuses: readonly string[];
  /** Rights that its configuration allows to workloads. */
  readonly allowed: Allowed;
  readonly ports: MachinePorts;
  instances: number;
  /** Addresses of its subnet that are free, after the placements so far. */
  addressesFree: number;
  memoryFreeBytes: number;
};

/** The needs of an instance. */
export type Needs = {
  readonly kind: "image" | "bundle" | "any";
  readonly constraints: ServiceSpec["constraints"];
  /** Where its instances are spread before machines. */
  readonly spread?: "az" | "region" | undefined;
  /** The architecture of its image, where that is known. */
  readonly imageArch?: string | undefined;
  readonly memoryBytes: number;
  /** The share of CPUs that it is limited to; 0: not limited. */
  readonly cpus: number;
  readonly user?: string | undefined;
  readonly container?: ContainerSpec | undefined;
  readonly hostPorts?: readonly HostPort[] | undefined;
  /** `prod/web`. */
  readonly owner?: string | undefined;
  /** The only machine that it may be on, and why. */
  readonly only?: { readonly machine: string; readonly why: string } | undefined;
  /** Machines that it may not be on. */
  readonly avoid?: readonly string[] | undefined;
  /** Quotas of the volumes created with it; absent when there are none. */
  readonly newVolumeBytes?: number | undefined;
};

export type SlotDemand = {
  readonly slot: number;
  /** Where the instance that it replaces is. */
  readonly prefer?: string;
  /** Memory freed on the preferred machine before the new instance starts (stop-first). */
  readonly freedBytes?: number;
};

export type Unfit = { readonly machine: string; readonly reason: string };

export type Placed =
  | { readonly ok: true; readonly machines: ReadonlyMap<number, string> }
  | { readonly ok: false; readonly slot: number; readonly reasons: readonly Unfit[] };

/** `content`: the facts about its image. */
export function needsOf(spec: ServiceSpec | JobSpec, content?: ReadonlyMap<string, Found>): Needs {
  return {
    imageArch: content?.get(spec.image?.digest ?? "")?.arch,
    kind: spec.bundle === undefined ? "image" : "bundle",
    constraints: spec.constraints,
    spread: "placement" in spec && spec.placement.kind === "replicas" ? spec.placement.spread : undefined,
    memoryBytes: spec.resources?.memoryBytes ?? 0,
    cpus: spec.resources?.cpus ?? 0,
    user: spec.user,
    container: spec.container,
    hostPorts: "hostPorts" in spec ? spec.hostPorts : undefined,
  };
}

/** Machines with nothing on them yet. */
export function hostsOf(
  machines: readonly MachineFact[],
  {
    claims = [],
    leaving = [],
  }: { readonly claims?: readonly PortClaim[]; readonly leaving?: readonly PortClaim[] } = {},
): readonly Host[] {
  return machines.map(({ record, observation, error, ...rest }) => ({
    id: record.id,
    runtime: observation?.runtime ?? record.runtime,
    images: (observation?.runtime ?? record.runtime) === "docker" || observation?.images === true,
    arch: observation?.arch,
    region: record.region,
    az: record.az,
    labels: record.labels ?? {},
    unreachable: observation === undefined ? (error?.message ?? "it does not answer") : undefined,
    closed: closedOf(record.state, observation?.draining),
    cpus: Math.max(1, observation?.cpus ?? 1),
    refuses: observation?.refuses ?? [],
    allowed: observation?.allowed ?? NOTHING_ALLOWED,
    ports: portsOf({ record, ...(observation && { observation }), ...rest }, claims, leaving),
    memoryFreeBytes: observation?.memoryFreeBytes ?? 0,
    promisableBytes:
      observation?.storage && observation.storage.promisableBytes - observation.storage.promisedBytes,
    instances: 0,
    addressesFree: addressesOf(record.subnet) - (observation?.instances.length ?? 0),
  }));
}

/** Of a subnet's addresses, three are no instance's: the network's, the machine's, and the broadcast. */
const addressesOf = (subnet: string): number => 2 ** (32 - Number(subnet.split("/")[1])) - 3;

function closedOf(state: MachineRecord["state"], drains = false): Host["closed"] {
  if (state === "standby") return "standby";
  return drains || state === "draining" ? "draining" : undefined;
}

/** Why an instance may never be on this machine, whatever its state now; `undefined` when it may. */
export function excluded(needs: Needs, host: Host): string | undefined {
  const { region, az, machines, arch, labels = {} } = needs.constraints ?? {};
  if (needs.avoid?.includes(host.id)) return "it is being drained";
  if (needs.only !== undefined && needs.only.machine !== host.id) return needs.only.why;
  if (machines !== undefined && !machines.includes(host.id))
    return "not among the machines it is constrained to";
  if (region !== undefined && host.region !== region) return `not in region ${region}`;
  if (az !== undefined && host.az !== az) return `not in zone ${az}`;
  if (arch !== undefined && host.arch !== undefined && host.arch !== arch)
    return `is ${host.arch}, not ${arch}`;
  const missing = Object.entries(labels).find(([key, value]) => own(host.labels, key) !== value);
  return missing && `has no label ${missing.join("=")}`;
}

/** Why it cannot start on this machine now; `undefined` when it can. */
export function unfit(needs: Needs, host: Host, freedBytes = 0): string | undefined {
  const never = excluded(needs, host);
  if (never !== undefined) return never;
  if (host.unreachable !== undefined) return `unreachable: ${host.unreachable}`;
  if (needs.kind === "bundle" && host.runtime === "docker")
    return "runs Docker, and a bundle needs the process runtime";
  if (needs.kind === "image" && !host.images) return "its version of Ployz runs images with Docker only";
  if (needs.imageArch !== undefined && host.arch !== undefined && host.arch !== needs.imageArch)
    return `is ${host.arch}, and the image is for ${needs.imageArch}`;
  if (host.closed !== undefined) return host.closed === "standby" ? "on standby" : "draining";
  // The engine refuses a limit above what the machine has.
  if (host.runtime === "docker" && needs.cpus > host.cpus)
    return `has ${host.cpus} CPUs, ${needs.cpus} needed`;
  if (host.refuses.includes("root") && needs.kind !== "any" && mayBeRoot(needs.kind, needs.user))
    return needs.kind === "image" && needs.user === undefined
      ? "refuses root (policy.refuse), and an image may run as root: set user to a number"
      : `refuses root (policy.refuse), and user is ${JSON.stringify(needs.user)}`;
  const right = needs.container && forbidden(needs.container, host.allowed, host.refuses);
  if (right !== undefined) return right;
  const port = needs.hostPorts && unfitHostPorts(needs.hostPorts, host.ports);
  if (port !== undefined) return port;
  if (host.addressesFree <= 0) return "no address of its subnet is free";
  if (needs.newVolumeBytes !== undefined) {
    if (host.promisableBytes === undefined) return "has no ZFS for volumes (storage.zfs_root)";
    if (needs.newVolumeBytes > host.promisableBytes)
      return `${mib(host.promisableBytes)} MiB of its pool can still be promised, ${mib(needs.newVolumeBytes)} MiB of quotas needed`;
  }
  if (needs.memoryBytes > host.memoryFreeBytes + freedBytes)
    return `${mib(host.memoryFreeBytes)} MiB of memory free, ${mib(needs.memoryBytes)} MiB needed`;
  return undefined;
}

/**
 * Chooses a machine for each slot and books it on `hosts`. Spread first: the zone or region with the fewest instances of this service,
 * where it asks for that (machines without one count as one together); then the machine with the fewest; then the one with the fewest instances per CPU; then the most free memory; then by name. A replacement stays where its predecessor
 * was as long as that keeps the spread within one. `kept` lists the machine of each instance of the service that stays.
 */
export function place(
  needs: Needs,
  slots: readonly SlotDemand[],
  kept: readonly string[],
  hosts: readonly Host[],
): Placed {
  const counts = new Map<string, number>();
  for (const machine of kept) counts.set(machine, (counts.get(machine) ?? 0) + 1);
  const count = (host: Host): number => counts.get(host.id) ?? 0;
  const fitting = hosts.filter((host) => unfit({ ...needs, memoryBytes: 0 }, host) === undefined);
  const groupOf = (host: Host): string => (needs.spread === undefined ? "" : host[needs.spread]) ?? "";
  const byGroup = new Map<string, number>();
  for (const host of hosts) byGroup.set(groupOf(host), (byGroup.get(groupOf(host)) ?? 0) + count(host));
  const inGroup = (group: string): number => byGroup.get(group) ?? 0;
  const groups = [...new Set(fitting.map(groupOf))];
  const total = kept.length + slots.length;
  const chosen = new Map<number, string>();

  const book = ({ slot, freedBytes = 0 }: SlotDemand, host: Host, freed: boolean) => {
    chosen.set(slot, host.id);
    counts.set(host.id, count(host) + 1);
    byGroup.set(groupOf(host), inGroup(groupOf(host)) + 1);
    host.instances += 1;
    host.addressesFree -= 1;
    host.memoryFreeBytes += (freed ? freedBytes : 0) - needs.memoryBytes;
    host.ports.claims.push(...instanceClaims(needs.owner ?? "another instance", needs.hostPorts, [host.id]));
    if (host.promisableBytes !== undefined) host.promisableBytes -= needs.newVolumeBytes ?? 0;
  };
  const order = (a: Host, b: Host): number =>
    inGroup(groupOf(a)) - inGroup(groupOf(b)) ||
    count(a) - count(b) ||
    a.instances / a.cpus - b.instances / b.cpus ||
    b.memoryFreeBytes - a.memoryFreeBytes ||
    (a.id < b.id ? -1 : 1);
  const rest: SlotDemand[] = [];
  for (const demand of slots) {
    const host = fitting.find(({ id }) => id === demand.prefer);
    const group = host && groupOf(host);
    const peers = fitting.filter((other) => groupOf(other) === group);
    if (
      host !== undefined &&
      group !== undefined &&
      isFair(groups.map(inGroup), inGroup(group), total) &&
      isFair(peers.map(count), count(host), Math.ceil(total / groups.length)) &&
      unfit(needs, host, demand.freedBytes) === undefined
    )
      book(demand, host, true);
    else rest.push(demand);
  }
  for (const demand of rest) {
    const best = fitting
      .filter((host) => unfit(needs, host) === undefined)
      .reduce<Host | undefined>((a, b) => (a === undefined || order(b, a) < 0 ? b : a), undefined);
    if (best === undefined)
      return {
        ok: false,
        slot: demand.slot,
        reasons: hosts.map((host) => ({ machine: host.id, reason: unfit(needs, host) ?? "" })),
      };
    book(demand, best, false);
  }
  return { ok: true, machines: chosen };
}

/** Whether one more where `here` are keeps all counts within one of an even share of `total`. */
function isFair(counts: readonly number[], here: number, total: number): boolean {
  const share = Math.floor(total / counts.length);
  const more = counts.filter((each) => each > share).length;
  return here < share || (here === share && more < total % counts.length);
}

export function noFit(field: string, wanted: number, placed: Extract<Placed, { ok: false }>): Refusal {
  const reasons = placed.reasons.map(({ machine, reason }) => `${machine}: ${reason}`).join("; ");
  const which = wanted > 1 ? `instance ${placed.slot} fits nowhere` : "fits nowhere";
  return {
    code: "no_machine_fits",
    message: `${field}: ${which} (${reasons || "the cluster has no active machine"})`,
    hint: "change the constraints or resources, or add a machine",
    details: { reasons: placed.reasons.map(({ machine, reason }) => ({ machine, reason })) },
  };
}

export function mib(bytes: number): number {
  return Math.floor(bytes / 1024 ** 2);
}
