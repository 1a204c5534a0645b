import type { ErrorBody } from "@ployz/errors";

export type StoreChange = {
  readonly action: "promote" | "demote";
  readonly machines: readonly string[];
  /** The final number of store machines. */
  readonly replicas?: number;
};

export interface Wanted {
  readonly machines: readonly string[];
  readonly refusals: readonly ErrorBody[];
}

/**
 * The final store machines. Promoting: the named ones if their number equals `replicas`; otherwise the named ones in addition to the
 * present ones. Demoting: the others. Pure.
 */
export function wantedStores(
  { action, machines, replicas }: StoreChange,
  present: readonly string[],
  members: readonly string[],
): Wanted {
  const unknown = machines.filter((id) => !members.includes(id));
  const named = new Set(machines);
  const set =
    action === "demote"
      ? present.filter((id) => !named.has(id))
      : machines.length === replicas
        ? [...named]
        : [...new Set([...present, ...named])];
  const refusals: ErrorBody[] = unknown.map((id) => ({
    code: "no_such_machine",
    message: `${id} is not a member here`,
    hint: "list members: ployzctl machine ls",
    machine: id,
  }));
  const wrong = ![1, 3, 5].includes(set.length);
  if (wrong || (replicas !== undefined && set.length !== replicas)) {
    const would = set.length === 0 ? "no machine" : `${set.length}: ${set.join(", ")}`;
    const why = wrong ? "the store is on 1, 3 or 5 machines" : `--replicas is ${replicas}`;
    refusals.push({
      code: "store_set_size",
      message: `the store would be on ${would}; ${why}`,
      hint: `it is on ${present.join(", ")} now; name all machines that should hold it: ployzctl machine storage promote --replicas 3 M1 M2 M3`,
    });
  }
  return { machines: set.sort(byName), refusals };
}

const byName = new Intl.Collator("en", { numeric: true }).compare;
export const sorted = (machines: readonly string[]): readonly string[] => [...machines].sort(byName);
export const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
