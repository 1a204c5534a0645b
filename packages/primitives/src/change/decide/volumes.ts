import type { Refusal } from "../../engine/types.ts";
import type { Instance, ServiceSpec, Volume, VolumeSpec } from "../../model/commit.ts";
import type { MachineRecord } from "../../model/machine.ts";
import type { ObservedVolume } from "../../model/observation.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import type {
  BackupSource,
  CopySource,
  Desired,
  MoveLimits,
  StandbySnapshot,
  WantedVolume,
} from "./desired.ts";

/** What happens to one volume. `machine` is where it will be. */
export type VolumeDecision = {
  readonly name: string;
  readonly spec: VolumeSpec;
  /** The committed one. */
  readonly previous?: Volume;
  readonly machine: string;
} & (
  | { readonly action: "keep" | "configure" }
  | { readonly action: "create"; readonly backup?: BackupSource }
  | { readonly action: "copy"; readonly from: CopySource }
  | { readonly action: "move"; readonly limits: MoveLimits }
  | { readonly action: "takeover"; readonly snapshot: StandbySnapshot }
);

/** A new volume whose machine follows the service that uses it. */
type Unplaced = { readonly name: string; readonly spec: VolumeSpec; readonly backup?: BackupSource };

export type VolumePlan = {
  /** Of the machine that it is or will be on; undefined for one that is still to be placed. */
  machineOf(volume: string): string | undefined;
  /** New volumes of a service that have no machine yet. */
  unplaced(spec: ServiceSpec): readonly Unplaced[];
  place(spec: ServiceSpec, machine: string): void;
  /** Whether an instance has just the volumes that its service will have. */
  kept(instance: Instance, spec: ServiceSpec): boolean;
  decisions(): readonly VolumeDecision[];
};

/** Decides volumes that need no placement; a new volume gets its machine with the service that uses it. Pure but for `place`. */
export function planVolumes(desired: Desired, committed: readonly Volume[]): VolumePlan {
  const decided = new Map<string, VolumeDecision>();
  const waiting = new Map<string, Unplaced>();
  for (const previous of committed) {
    if (desired.dropped.includes(previous.name) || Object.hasOwn(desired.volumes, previous.name)) continue;
    const { name, spec, machine } = previous;
    decided.set(name, { action: "keep", name, spec, machine, previous });
  }
  for (const [name, wanted] of Object.entries(desired.volumes)) {
    const previous = committed.find((volume) => volume.name === name);
    const decision = decideVolume(name, wanted, previous);
    if (decision === undefined) waiting.set(name, unplacedOf(name, wanted));
    else decided.set(name, decision);
  }
  const waitingFor = (spec: ServiceSpec) =>
    Object.keys(spec.volumes).flatMap((volume) => waiting.get(volume) ?? []);
  return {
    machineOf: (volume) => decided.get(volume)?.machine,
    unplaced: waitingFor,
    place(spec, machine) {
      for (const volume of waitingFor(spec)) {
        decided.set(volume.name, { action: "create", machine, ...volume });
        waiting.delete(volume.name);
      }
    },
    kept: (instance, spec) =>
      Object.keys(spec.volumes).every((name) => {
        const decision = decided.get(name);
        const stays = decision?.action === "keep" || decision?.action === "configure";
        return stays && decision.previous?.id === instance.volumes?.[name];
      }) && Object.keys(instance.volumes ?? {}).every((name) => Object.hasOwn(spec.volumes, name)),
    decisions: () => [...decided.values()].sort((left, right) => (left.name < right.name ? -1 : 1)),
  };
}

const unplacedOf = (name: string, { spec, source }: WantedVolume): Unplaced => ({
  ...{ name, spec },
  ...(source.kind === "backup" && { backup: source.backup }),
});

function decideVolume(
  name: string,
  { spec, source }: WantedVolume,
  previous: Volume | undefined,
): VolumeDecision | undefined {
  const base = { name, spec, ...(previous && { previous }) };
  if (source.kind === "copy") return { ...base, action: "copy", machine: source.machine, from: source.from };
  if (source.kind === "fresh") return { ...base, action: "create", machine: source.machine };
  if (source.kind === "backup" && source.machine !== undefined)
    return { ...base, action: "create", machine: source.machine, backup: source.backup };
  if (previous === undefined) return undefined;
  const { machine } = previous;
  if (source.kind === "move" && source.machine !== machine) {
    const { kind: _, machine: to, ...limits } = source;
    return { ...base, action: "move", machine: to, limits };
  }
  if (source.kind === "standby" && source.machine !== machine)
    return { ...base, action: "takeover", machine: source.machine, snapshot: source.snapshot };
  return { ...base, action: sameSpec(spec, previous.spec) ? "keep" : "configure", machine };
}

const sameSpec = (left: VolumeSpec, right: VolumeSpec): boolean =>
  left.scope === right.scope &&
  left.quotaBytes === right.quotaBytes &&
  left.recordsizeBytes === right.recordsizeBytes;

/** Of a decision whose data stays on the machine it is on. */
export const isKept = ({ action }: VolumeDecision): boolean => action === "keep" || action === "configure";

/**
 * Reasons against the decisions: missing data is never replaced by an empty volume, and an unreachable machine's state is not guessed.
 * Kept volumes of unchanged services are not checked.
 */
export function refuseVolumes(
  decisions: readonly VolumeDecision[],
  touched: ReadonlySet<string>,
  facts: ChangeFacts,
): readonly Refusal[] {
  return decisions.flatMap((decision): Refusal[] => {
    const { name, previous, action, machine } = decision;
    const refusals: Refusal[] = [];
    const needsOld =
      previous !== undefined && action !== "takeover" && (action !== "keep" || touched.has(name));
    if (needsOld) refusals.push(...missingCopy(name, previous, facts));
    if (action === "copy" && refusals.length === 0) refusals.push(...missingSource(decision, facts));
    const target = facts.machines.find(({ record }) => record.id === machine);
    if (
      (action === "create" || action === "copy" || action === "move" || action === "takeover") &&
      target?.observation !== undefined
    ) {
      if (target.observation.storage === undefined) refusals.push(noStorage(name, machine));
      else if (target.record.state !== "active") refusals.push(takesNothing(name, target.record));
    }
    if (action !== "keep" && target?.observation === undefined && refusals.length === 0)
      refusals.push(unreachable(name, machine));
    return refusals;
  });
}

function missingCopy(name: string, volume: Volume, facts: ChangeFacts): readonly Refusal[] {
  const there = facts.machines.find(({ record }) => record.id === volume.machine);
  if (there?.observation === undefined) return [unreachable(name, volume.machine)];
  const copy = there.observation.volumes.find(({ id }) => id === volume.id);
  if (copy?.state === "active" && copy.guid === volume.guid) return [];
  return [
    {
      code: "volume_missing",
      message: `volumes.${name}: ${volume.id} should be on machine ${volume.machine}, and ${describe(copy, volume)}`,
      hint: `nothing is created in its place; see ployzctl volume ls for the volumes, and ployzctl ops ls for unfinished operations`,
      machine: volume.machine,
    },
  ];
}

function describe(copy: ObservedVolume | undefined, { guid }: Volume): string {
  if (copy === undefined) return "is not there";
  return copy.guid === guid ? `is ${copy.state} there` : "another dataset has its name there";
}

function missingSource(
  { name, from }: Extract<VolumeDecision, { action: "copy" }>,
  facts: ChangeFacts,
): readonly Refusal[] {
  const there = facts.machines.find(({ record }) => record.id === from.machine);
  if (there?.observation === undefined) return [unreachable(name, from.machine)];
  if (from.upload) return [];
  const copy = there.observation.volumes.find(({ id }) => id === from.id);
  if (copy !== undefined && (from.snapshot !== undefined || copy.state === "active")) return [];
  return [
    {
      code: "volume_missing",
      message: `volumes.${name}: its source ${from.namespace}/${from.volume} (${from.id}) is not on machine ${from.machine}`,
      hint: "ployzctl volume ls lists the volumes",
      machine: from.machine,
    },
  ];
}

export function noStorage(name: string, machine: string): Refusal {
  return {
    code: "no_storage",
    message: `volumes.${name}: machine ${machine} has no ZFS for volumes`,
    hint: "ployzctl daemon install --zfs-root POOL/ployz there, or choose another machine; ployzctl doctor says more",
    machine,
  };
}

function takesNothing(name: string, { id, state }: MachineRecord): Refusal {
  return {
    code: "machine_draining",
    message: `volumes.${name}: machine ${id} receives no volumes: it is ${state === "standby" ? "on standby" : state}`,
    hint: `choose another machine, or: ployzctl machine activate ${id}`,
    machine: id,
  };
}

function unreachable(name: string, machine: string): Refusal {
  return {
    code: "machine_unreachable",
    message: `volumes.${name}: machine ${machine} does not answer, and its data is there`,
    hint: `bring ${machine} back, then run the same command again`,
    machine,
  };
}
