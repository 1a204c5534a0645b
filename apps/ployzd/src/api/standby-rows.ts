import type { MachineRow, StandbyRow } from "@ployz/primitives/client";
import { type Commit, type FactTypes, type MachineObservation, standbyKey } from "@ployz/primitives/protocol";
import type { Member } from "../daemon/member-parts.ts";
import { type Warning, warning } from "../warnings/codes.ts";

export type Row = Omit<StandbyRow, "next" | "last" | "lagBytes">;
export type Seen = ReadonlyMap<string, MachineObservation | undefined>;
/** What each machine has; undefined: it does not answer. */
export const seenBy = (machines: readonly MachineRow[]): Seen =>
  new Map(machines.map(({ record, observation }) => [record.id, observation]));
type Records = ReadonlyMap<string, FactTypes["standby"]>;

/** What the standbys have received, by the keys of the facts. */
export async function standbyRecords({ store }: Pick<Member, "store">): Promise<Records> {
  const facts = await store.facts.list("standby");
  return new Map(facts.map(({ key, value }) => [key as string, value]));
}

/** Three runs late, and time for the third. */
const boundOf = (everyMs: number): number => Math.max(3 * everyMs, everyMs + 30_000);

/** Standbys as committed, with what their machines have. Pure. */
export function standbyRows(
  commits: readonly Commit[],
  { seen, records, now }: { readonly seen: Seen; readonly records: Records; readonly now: number },
): readonly Row[] {
  return commits
    .filter(({ removed }) => removed !== true)
    .flatMap(({ namespace, volumes }) =>
      volumes.flatMap(({ name, id, machine: source, spec: { standby } }) =>
        (standby?.machines ?? []).map((machine): Row => {
          const base = { namespace, volume: name, id, source, machine, everyMs: standby?.everyMs ?? 0 };
          if (machine === source) return { ...base, state: "home" };
          const record = records.get(standbyKey(namespace, name, machine));
          const known = record?.id === id ? record : undefined;
          const there = seen.get(machine);
          const copy = there?.volumes.find((one) => one.id === id && one.standby !== undefined);
          const holds = latest(
            copy?.standby,
            there === undefined || copy !== undefined ? known?.takenAt : undefined,
          );
          const lagMs = holds === undefined ? undefined : Math.max(0, now - Date.parse(holds));
          const old = lagMs !== undefined && lagMs > boundOf(base.everyMs);
          return {
            ...base,
            state: there === undefined ? "unknown" : copy === undefined ? "none" : old ? "old" : "current",
            ...(holds !== undefined && { holds }),
            ...(lagMs !== undefined && { lagMs }),
            ...(copy !== undefined && { usedBytes: copy.usedBytes }),
            ...(known !== undefined && { bytes: known.bytes }),
          };
        }),
      ),
    );
}

const latest = (left: string | undefined, right: string | undefined): string | undefined =>
  left === undefined || right === undefined ? (left ?? right) : left > right ? left : right;

/** Standbys beyond their bound, or still without a copy. Pure. */
export function standbyWarnings(
  rows: readonly Row[],
  committedAt: (namespace: string) => number,
  now: number,
): readonly Warning[] {
  return rows.flatMap((row) => {
    const { namespace, volume, machine, state, lagMs = 0, everyMs } = row;
    const late = state === "none" && now - committedAt(namespace) > boundOf(everyMs);
    if (state !== "old" && !late) return [];
    const how = late ? "has no copy yet" : `is ${Math.round(lagMs / 1000)} s behind`;
    return [
      warning("standby_behind", `${namespace}/${volume} ${machine}`, {
        message: `the standby of ${namespace}/${volume} on ${machine} ${how}`,
        hint: `see its last run: ployzctl schedule show ${namespace}/${volume}.standby-${machine}`,
      }),
    ];
  });
}
