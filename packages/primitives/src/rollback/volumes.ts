import type { WantedVolume } from "../change/decide/desired.ts";
import { withStandbyOf } from "../change/input.ts";
import { snapshotsOf } from "../change/observe/snapshots.ts";
import type { Refusal } from "../engine/types.ts";
import type { VolumeSnapshot } from "../model/commit.ts";
import type { RollbackFacts, RollbackInput } from "./input.ts";
import type { Target } from "./target.ts";

type Restored = {
  readonly volumes: Readonly<Record<string, WantedVolume>>;
  readonly refusals: readonly Refusal[];
  readonly warnings: readonly string[];
};

/** Volumes of the commit: as they are now, or, when asked for, cloned from their content when it was replaced. */
export function restoredVolumes(
  { namespace, volumes: asked = "none" }: RollbackInput,
  target: Extract<Target, { ok: true }>,
  facts: RollbackFacts,
): Restored {
  const refusals: Refusal[] = [];
  const { commit, revision } = target.head;
  const present = facts.head?.commit.volumes ?? [];
  const known = commit.volumes.map(({ name }) => name);
  const chosen = asked === "none" ? [] : asked === "all" ? known : asked;
  for (const name of chosen.filter((one) => !known.includes(one))) {
    refusals.push({
      code: "no_such_volume",
      message: `volumes: ${namespace} had no volume ${name} at commit ${revision}`,
      hint: known.length > 0 ? `it had ${known.join(", ")}` : "leave --volumes out",
    });
  }
  if (chosen.length > 0 && target.next === undefined) {
    refusals.push({
      code: "invalid_input",
      message: `volumes: commit ${revision} is the present one; its data is what the volumes hold now`,
      hint: "name an earlier commit with --to, or use ployzctl volume restore",
    });
  }
  const wanted = commit.volumes.map(({ name, spec: then }): [string, WantedVolume] => {
    const now = present.find((volume) => volume.name === name);
    const spec = withStandbyOf(then, now?.spec);
    const keep: WantedVolume = { spec, source: { kind: "keep" } };
    if (!chosen.includes(name)) {
      if (now === undefined)
        refusals.push({
          code: "volume_missing",
          message: `${namespace}/${name} was removed since commit ${revision}`,
          hint: `--volumes ${name} restores its data from that time`,
        });
      return [name, keep];
    }
    const snapshot = target.next?.commit.before?.find(({ volume }) => volume === name);
    if (snapshot === undefined) {
      if (target.next !== undefined)
        refusals.push({
          code: "snapshot_missing",
          message: `there is no snapshot of ${namespace}/${name} from when commit ${revision} was replaced`,
          hint: "leave --volumes out to keep the data as it is, or see ployzctl volume snapshots",
        });
      return [name, keep];
    }
    if (now?.origin?.snapshot === snapshot.snapshot && now.origin.volume === name && target.done)
      return [name, keep];
    const source = whereIs(snapshot, now?.machine, facts);
    if (source === undefined) {
      refusals.push(gone(namespace, name, revision, snapshot));
      return [name, keep];
    }
    const machine = now?.machine ?? source;
    const from = {
      namespace,
      volume: name,
      id: snapshot.id,
      machine: source,
      snapshot: { name: snapshot.snapshot, guid: snapshot.guid },
    };
    return [name, { spec, source: { kind: "copy", machine, from } }];
  });
  const others = present.filter(({ name }) => !known.includes(name)).map(({ name }) => name);
  const warnings =
    others.length > 0 ? [`volumes that commit ${revision} did not have stay: ${others.join(", ")}`] : [];
  return { volumes: Object.fromEntries(wanted), refusals, warnings };
}

/** Every copy of this volume id that a machine has. */
export const holdersOf = (
  id: string,
  { machines }: Pick<RollbackFacts, "machines">,
): readonly { readonly id: string; readonly machine: string }[] =>
  machines.flatMap(({ record, observation }) =>
    (observation?.volumes ?? []).some((copy) => copy.id === id) ? [{ id, machine: record.id }] : [],
  );

/** The machine that has the snapshot: where the volume is now, else where it was, else any other. */
function whereIs({ id, guid, machine }: VolumeSnapshot, now: string | undefined, facts: RollbackFacts) {
  const having = holdersOf(id, facts).filter((copy) =>
    snapshotsOf(facts.snapshots, copy.machine, id).some((one) => one.guid === guid),
  );
  const wanted = [now, machine].find((one) => having.some((copy) => copy.machine === one));
  return wanted ?? having[0]?.machine;
}

function gone(namespace: string, name: string, revision: number, { machine }: VolumeSnapshot): Refusal {
  return {
    code: "snapshot_missing",
    message: `the snapshot of ${namespace}/${name} from commit ${revision} is not on ${machine} any more, nor on another machine that answers`,
    hint: "the retention may have deleted it; ployzctl volume snapshots lists the present ones",
  };
}
