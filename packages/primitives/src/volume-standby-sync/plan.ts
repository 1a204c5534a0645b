import { liveHead, noNamespace, noVolume } from "../change/decide/as-it-is.ts";
import { noStorage } from "../change/decide/volumes.ts";
import type { ChangeFacts, MachineFact } from "../change/observe/facts.ts";
import { type Snapshots, snapshotsOf } from "../change/observe/snapshots.ts";
import type { ChangeKinds } from "../change/steps/kinds.ts";
import type { Plan, PlannedStep, Refusal, Refusals } from "../engine/types.ts";
import type { Volume } from "../model/commit.ts";
import { standbyOf, standbySnapshot } from "../model/standby.ts";
import type { VolumeStandbySyncInput } from "./input.ts";

export type Facts = Omit<ChangeFacts, "content"> & {
  readonly snapshots: Snapshots;
  /** Revision of the fact about the last copy. */
  readonly last: number;
};
export type Kinds = Pick<ChangeKinds, "standby.sync" | "standby.thin" | "volume.standdown">;

export type SyncSummary = {
  readonly kind: "volume-standby-sync";
  readonly namespace: string;
  readonly volume: string;
  readonly id: string;
  readonly source: string;
  readonly machine: string;
  readonly snapshot: string;
};

export const volumeOf = (
  { volume }: VolumeStandbySyncInput,
  { head }: Pick<Facts, "head">,
): Volume | undefined => liveHead(head)?.commit.volumes.find(({ name }) => name === volume);

/** Pure. */
export function plan(
  input: VolumeStandbySyncInput,
  facts: Facts,
  operation: string,
): Plan<Kinds, SyncSummary> | Refusals {
  const { namespace, machine, bytesPerSecond } = input;
  const head = liveHead(facts.head);
  if (head === undefined) return { refusals: [noNamespace(namespace, { ...facts, content: new Map() })] };
  const volume = volumeOf(input, facts);
  if (volume === undefined) return { refusals: [noVolume(namespace, input.volume, head)] };
  const refusals = refuse(volume, machine, namespace, facts);
  if (refusals.length > 0) return { refusals };
  const { id, name, machine: source } = volume;
  const snapshot = standbySnapshot(machine, operation);
  const identity = { id, namespace, name };
  const limit = bytesPerSecond === undefined ? {} : { bytesPerSecond };
  const sync: PlannedStep<Kinds> = {
    ...{ id: "sync", kind: "standby.sync", machine },
    args: { machine, ...identity, source: { machine: source, id }, snapshot, ...limit },
    title: `copy what has changed of volume ${name} from ${source} to its standby on ${machine}`,
    needs: [],
  };
  const thin = (at: string, gone: readonly string[]): PlannedStep<Kinds>[] =>
    gone.length === 0
      ? []
      : [
          {
            ...{ id: `thin@${at}`, kind: "standby.thin", machine: at },
            args: { machine: at, id, snapshots: gone },
            title: `delete ${gone.length} older snapshots of the standby on ${at}`,
            needs: [],
          },
        ];
  const others = copiesOf(facts, machine, namespace, name).filter((copy) => copy.id !== id && copy.standby);
  const standdown: PlannedStep<Kinds>[] =
    others.length === 0
      ? []
      : [
          {
            ...{ id: "standdown", kind: "volume.standdown", machine },
            args: { machine, namespace, name, except: id },
            title: `let the retention have the standby of an earlier ${name} on ${machine}`,
            needs: [],
          },
        ];
  return {
    basis: [],
    prepare: [sync],
    settle: [
      ...thin(source, goneAtSource(volume, machine, facts)),
      ...thin(
        machine,
        snapshotsOf(facts.snapshots, machine, id).flatMap((one) =>
          standbyOf(one.name) === undefined ? [] : [one.name],
        ),
      ),
      ...standdown,
    ],
    summary: { kind: "volume-standby-sync", namespace, volume: name, id, source, machine, snapshot },
    changes: true,
    warnings: [],
  };
}

/** Snapshots for this standby, and those for machines that keep none. */
function goneAtSource({ id, machine: source, spec }: Volume, machine: string, facts: Facts) {
  const others = (spec.standby?.machines ?? []).filter((one) => one !== machine && one !== source);
  return snapshotsOf(facts.snapshots, source, id).flatMap(({ name }) => {
    const of = standbyOf(name);
    return of === undefined || others.includes(of) ? [] : [name];
  });
}

const copiesOf = ({ machines }: Facts, machine: string, namespace: string, name: string) =>
  (machines.find(({ record }) => record.id === machine)?.observation?.volumes ?? []).filter(
    (copy) => copy.namespace === namespace && copy.name === name,
  );

function refuse(volume: Volume, machine: string, namespace: string, facts: Facts): readonly Refusal[] {
  const { id, name, machine: source, spec } = volume;
  const what = `${namespace}/${name}`;
  const hint = `ployzctl volume standby add ${what} --to ${machine}`;
  if (spec.standby?.machines.includes(machine) !== true)
    return [{ code: "no_such_standby", message: `${what} has no standby on ${machine}`, hint }];
  if (machine === source) {
    const message = `${what} is on ${machine} itself: it needs no standby there`;
    return [{ code: "no_such_standby", message, hint: "name another machine", machine }];
  }
  const factOf = (one: string): MachineFact | undefined =>
    facts.machines.find(({ record }) => record.id === one);
  const [from, to] = [factOf(source), factOf(machine)];
  const away = [
    ...(from?.observation === undefined ? [silent(source, `${what} is there`)] : []),
    ...(to?.observation === undefined ? [silent(machine, `the standby of ${what} is there`)] : []),
  ];
  if (from?.observation === undefined || to?.observation === undefined) return away;
  const there = from.observation.volumes.find((copy) => copy.id === id);
  if (there === undefined || (there.state !== "active" && there.state !== "sealed")) {
    const message = `${what} is not on ${source}, where it was committed`;
    return [{ code: "volume_missing", message, hint: "ployzctl volume ls --all", machine: source }];
  }
  if (to.observation.storage === undefined) return [noStorage(name, machine)];
  const copy = to.observation.volumes.find((one) => one.id === id);
  if (copy !== undefined && copy.state !== "retired" && copy.state !== "incoming") {
    const message = `the copy of ${what} on ${machine} is ${copy.state}`;
    return [{ code: "volume_in_use", message, hint: "see ployzctl ops ls", machine }];
  }
  return copy === undefined ? first(volume, there.referencedBytes, to, namespace) : [];
}

/** Reasons against a first copy, which is a full one. */
export function first(
  { name }: Pick<Volume, "name">,
  bytes: number,
  { record, observation }: MachineFact,
  namespace: string,
): readonly Refusal[] {
  const { id: machine, state } = record;
  const free = observation?.storage?.availableBytes ?? 0;
  if (state !== "active") {
    const message = `machine ${machine} receives no copies: it is ${state === "standby" ? "on standby" : state}`;
    return [{ code: "machine_draining", message, hint: `ployzctl machine activate ${machine}`, machine }];
  }
  if (bytes <= free) return [];
  const mib = (count: number) => Math.ceil(count / 1024 ** 2);
  const message = `the standby of ${namespace}/${name} needs ${mib(bytes)} MiB on ${machine}, and ${mib(free)} MiB are free`;
  return [{ code: "no_space", message, hint: "choose another machine, or make room there", machine }];
}

export const silent = (machine: string, why: string): Refusal => ({
  code: "machine_unreachable",
  message: `machine ${machine} does not answer, and ${why}`,
  hint: `bring ${machine} back`,
  machine,
});
