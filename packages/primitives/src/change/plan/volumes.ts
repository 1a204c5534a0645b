import type { PlannedStep } from "../../engine/types.ts";
import type { Instance, VolumeSnapshot } from "../../model/commit.ts";
import { volumeId } from "../../model/ids.ts";
import type { VolumeIdentity } from "../../model/observation.ts";
import type { Decision } from "../decide/decision.ts";
import { isClone } from "../decide/desired.ts";
import { isKept, type VolumeDecision } from "../decide/volumes.ts";
import type { ChangeKinds } from "../steps/kinds.ts";
import { snapshotName } from "../steps/volumes.ts";

type Step = PlannedStep<ChangeKinds>;

/** A snapshot that the commit will name, with the guid from the output of step `guidFrom`. */
export type PendingSnapshot = Omit<VolumeSnapshot, "guid"> & { readonly guidFrom: string };

export type VolumeSteps = {
  /** Before anything that could change data: a snapshot of all volumes that stay, on the machines that answer. */
  readonly first: readonly Step[];
  /** Those that stay on machines that do not answer, where nothing changes them either. */
  readonly unsaved: readonly { readonly name: string; readonly machine: string }[];
  readonly rest: readonly Step[];
  /** Steps after which an instance may start on the volume, by its name. */
  ready(volume: string): readonly string[];
  /** Steps that must be done before the users of this volume (by id) are stopped. */
  beforeStop(id: string): readonly string[];
  /** Ids of volumes that get sealed: their users stop first. */
  readonly leaving: ReadonlySet<string>;
  readonly before: readonly PendingSnapshot[];
};

/** The id that a volume will have. */
export function nextVolumeId(namespace: string, decision: VolumeDecision, operation: string): string {
  const { action, name, previous } = decision;
  const stays = action === "move" || action === "takeover" || isKept(decision);
  return stays && previous ? previous.id : volumeId(namespace, name, operation);
}

/** `stopsOf` names the steps that stop the users of a volume (by id). `silent`: machines that do not answer. */
export function volumeSteps(
  { namespace, volumes, dropped }: Pick<Decision, "namespace" | "volumes" | "dropped">,
  operation: string,
  needs: readonly string[],
  stopsOf: (id: string) => readonly string[],
  silent: ReadonlySet<string>,
): VolumeSteps {
  const snapshot = snapshotName(operation);
  const before: PendingSnapshot[] = [];
  const keep = (volume: VolumeDecision["previous"], machine: string, guidFrom: string) => {
    if (volume) before.push({ volume: volume.name, id: volume.id, machine, snapshot, guidFrom });
  };

  // A machine that is away does not prevent a change of what does not need it.
  const all = [...volumes.filter(isKept).flatMap(({ previous }) => previous ?? []), ...dropped];
  const staying = all.filter(({ machine }) => !silent.has(machine));
  const unsaved = all.filter(({ machine }) => silent.has(machine));
  const first = byMachine(staying).map(([machine, ids]): Step => {
    const step = snapshotStep(machine, namespace, ids, snapshot, needs);
    for (const volume of staying.filter((one) => one.machine === machine)) keep(volume, machine, step.id);
    return step;
  });
  const after = first.length > 0 ? first.map(({ id }) => id) : needs;

  const live = volumes.flatMap((volume) =>
    volume.action === "copy" && volume.from.snapshot === undefined ? [volume.from] : [],
  );
  // Of one namespace and machine together: atomic over the environment. A source that stays here has its snapshot already.
  const others = live.filter(
    (from) => !staying.some(({ id, machine }) => id === from.id && machine === from.machine),
  );
  const sources = [...new Set(others.map((from) => from.namespace))].flatMap((source) =>
    byMachine(others.filter((from) => from.namespace === source)).map(([machine, ids]) =>
      snapshotStep(machine, source, ids, snapshot, after),
    ),
  );
  const sourceOf = (machine: string, source: string) => `snapshot ${source}@${machine}`;

  const readyAfter = new Map<string, string[]>();
  const stopAfter = new Map<string, string[]>();
  const leaving = new Set<string>();
  const rest = volumes.flatMap((decision): readonly Step[] => {
    const { name, spec, machine, previous, action } = decision;
    const id = nextVolumeId(namespace, decision, operation);
    const identity: VolumeIdentity = { id, namespace, name };
    const label = `${name}@${machine}`;
    const ready = (...steps: string[]) => readyAfter.set(name, [...(readyAfter.get(name) ?? []), ...steps]);
    if (action === "keep") return [];
    if (action === "create" || action === "configure") {
      const ensure: Step = {
        id: `volume ${label}`,
        kind: "volume.ensure",
        args: { machine, ...identity, spec, ...(previous && { before: previous.spec }) },
        machine,
        title: action === "create" ? `create volume ${name} on ${machine}` : `configure volume ${name}`,
        needs: after,
      };
      const backup = decision.action === "create" ? decision.backup : undefined;
      if (backup === undefined) {
        ready(ensure.id);
        return [ensure];
      }
      ready(`restore ${label}`);
      return [
        ensure,
        {
          ...{ id: `restore ${label}`, kind: "backup.restore", machine, needs: [ensure.id] },
          args: { machine, id, repository: backup.repository, backup: backup.backup },
          title: `restore ${name} on ${machine} from the backup ${backup.backup.slice(0, 8)} of ${backup.namespace}/${backup.volume}`,
        },
      ];
    }
    if (decision.action === "takeover") {
      ready(`takeover ${label}`);
      const { name: taken, guid: snapshotGuid } = decision.snapshot;
      return [
        {
          id: `takeover ${label}`,
          kind: "volume.takeover",
          args: { machine, ...identity, spec, snapshot: taken, snapshotGuid },
          machine,
          title: `open the standby of volume ${name} on ${machine}`,
          needs: after,
        },
      ];
    }
    if (previous !== undefined) leaving.add(previous.id);
    if (decision.action === "move") {
      const source = { machine: previous?.machine ?? "", id };
      stopAfter.set(id, [`precopy ${label}`]);
      ready(`admit ${label}`);
      keep(previous, machine, `final ${label}`);
      return moveSteps({ decision, identity, source, snapshot, needs: after, stops: stopsOf(id) });
    }
    if (decision.action !== "copy") return [];
    const { from } = decision;
    const guidFrom = sourceOf(from.machine, from.namespace);
    const copyFrom = {
      id: from.id,
      snapshot: from.snapshot?.name ?? snapshot,
      ...(from.snapshot === undefined ? { guidFrom } : { guid: from.snapshot.guid }),
      ...(from.earlier !== undefined && { earlier: from.earlier }),
    };
    const copyNeeds = from.snapshot === undefined ? [guidFrom] : after;
    const steps: Step[] = [];
    if (previous !== undefined) {
      const swap = sealedSnapshot(previous, namespace, snapshot, stopsOf(previous.id));
      steps.push(...swap);
      ready(...swap.map((step) => step.id));
      keep(previous, previous.machine, swap.at(-1)?.id ?? "");
    }
    if (isClone(from, machine)) {
      ready(`clone ${label}`);
      steps.push({
        id: `clone ${label}`,
        kind: "volume.clone",
        args: { machine, ...identity, spec, from: copyFrom },
        machine,
        title: `clone volume ${name} from ${from.namespace}/${from.volume} on ${machine}`,
        needs: copyNeeds,
      });
    } else {
      ready(`admit ${label}`);
      const source = { machine: from.machine, id: from.id };
      steps.push(
        {
          id: `transfer ${label}`,
          kind: "volume.transfer",
          args: { machine, ...identity, source, from: copyFrom },
          machine,
          title: from.upload
            ? `receive volume ${name} on ${machine}, from the file sent to ${from.machine}`
            : `copy ${from.namespace}/${from.volume} from ${from.machine} to ${machine}`,
          needs: copyNeeds,
        },
        admitStep(decision, identity, copyFrom.snapshot, `transfer ${label}`),
      );
    }
    return steps;
  });
  return {
    first,
    unsaved,
    rest: [...sources, ...rest],
    ready: (volume) => readyAfter.get(volume) ?? [],
    beforeStop: (id) => stopAfter.get(id) ?? [],
    leaving,
    before: before.sort((left, right) => (left.volume < right.volume ? -1 : 1)),
  };
}

function byMachine(
  volumes: readonly { readonly machine: string; readonly id: string }[],
): readonly (readonly [machine: string, ids: readonly string[]])[] {
  const machines = [...new Set(volumes.map(({ machine }) => machine))].sort();
  return machines.map((machine) => [
    machine,
    [...new Set(volumes.filter((one) => one.machine === machine).map(({ id }) => id))].sort(),
  ]);
}

function snapshotStep(
  machine: string,
  namespace: string,
  ids: readonly string[],
  snapshot: string,
  needs: readonly string[],
): Step {
  return {
    id: `snapshot ${namespace}@${machine}`,
    kind: "volume.snapshot",
    args: { machine, namespace, ids, snapshot },
    machine,
    title: `snapshot the volumes of ${namespace} on ${machine}`,
    needs,
  };
}

/** Seals a replaced volume and snapshots its last state. */
function sealedSnapshot(
  { name, machine, id }: NonNullable<VolumeDecision["previous"]>,
  namespace: string,
  snapshot: string,
  needs: readonly string[],
): readonly Step[] {
  return [
    sealStep(name, machine, id, needs),
    {
      id: `keep ${id}@${machine}`,
      kind: "volume.snapshot",
      args: { machine, namespace, ids: [id], snapshot },
      machine,
      title: `snapshot volume ${name} as it was left on ${machine}`,
      needs: [`seal ${id}@${machine}`],
    },
  ];
}

function sealStep(name: string, machine: string, id: string, needs: readonly string[]): Step {
  return {
    id: `seal ${id}@${machine}`,
    kind: "volume.seal",
    args: { machine, id },
    machine,
    title: `close volume ${name} on ${machine}`,
    needs,
  };
}

function admitStep(
  { name, spec, machine }: VolumeDecision,
  identity: VolumeIdentity,
  snapshot: string,
  received: string,
): Step {
  return {
    id: `admit ${name}@${machine}`,
    kind: "volume.admit",
    args: { machine, ...identity, spec, snapshot, received },
    machine,
    title: `verify and open volume ${name} on ${machine}`,
    needs: [received],
  };
}

function moveSteps(move: {
  readonly decision: Extract<VolumeDecision, { action: "move" }>;
  readonly identity: VolumeIdentity;
  readonly source: { readonly machine: string; readonly id: string };
  readonly snapshot: string;
  readonly needs: readonly string[];
  readonly stops: readonly string[];
}): readonly Step[] {
  const { decision, identity, source, snapshot, needs, stops } = move;
  const { name, machine, limits } = decision;
  const precopy = `precopy ${name}@${machine}`;
  return [
    {
      id: precopy,
      kind: "volume.precopy",
      args: { machine, ...identity, source, ...limits },
      machine,
      title: `copy volume ${name} from ${source.machine} to ${machine} while it is in use`,
      needs,
    },
    sealStep(name, source.machine, source.id, [precopy, ...stops]),
    {
      id: `final ${name}@${machine}`,
      kind: "volume.final",
      args: { machine, ...identity, source, snapshot },
      machine,
      title: `copy the last difference of volume ${name} to ${machine}`,
      needs: [`seal ${source.id}@${source.machine}`],
    },
    admitStep(decision, identity, snapshot, `final ${name}@${machine}`),
  ];
}

/** Whether an old instance runs on one of these volumes. */
export const usesAny = (instance: Instance, ids: ReadonlySet<string>): boolean =>
  Object.values(instance.volumes ?? {}).some((id) => ids.has(id));
