import type { StoreRepair, StoreRepaired } from "@ployz/primitives/client";
import { factFault, type Unreadable, unreadable } from "@ployz/primitives/host";
import { factName, type Json, type RawFacts } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import type { Records } from "../state/records.ts";

/** Facts without which a cluster does not work: never removed, only written again. */
const KEPT = /^(cluster$|machine\.)/;

/** The records of the store that cannot be read, and their repair. */
export interface UnreadableRecords {
  list(): Promise<readonly Unreadable[]>;
  repair(request: StoreRepair): Promise<StoreRepaired>;
}

export function unreadableRecords({
  facts,
  mirror,
  unreadableOperations,
}: {
  readonly facts: RawFacts;
  readonly mirror: Pick<Records, "facts" | "skipped">;
  unreadableOperations(): Promise<readonly Unreadable[]>;
}): UnreadableRecords {
  const kept = (key: string) => {
    const name = factName(key);
    return name && mirror.facts(name).find((fact) => fact.key === key)?.value;
  };
  return {
    async list() {
      const skipped = mirror
        .skipped()
        .map(({ what, key, ...fault }) => ({ ...fault, key: `${what}.${key}` }));
      return [...skipped, ...(await unreadableOperations())];
    },
    repair: (request) => repairFact({ facts, kept }, request),
  };
}

/**
 * Repairs a fact that cannot be read: writes the last readable value that this machine's mirror kept, or removes the fact when there was
 * none. Compares its revision, so that a fact that was written meanwhile stays.
 */
export async function repairFact(
  { facts, kept }: { readonly facts: RawFacts; kept(key: string): Json | undefined },
  { record, replaceNewer }: StoreRepair,
): Promise<StoreRepaired> {
  const key = record.slice("fact.".length);
  const entry = await facts.get(key);
  const fault = entry && factFault(key, entry.value);
  if (entry === undefined || fault === undefined)
    return { kind: "store-repaired", record, action: "unchanged" };
  const named = { ...fault, key: record, revision: entry.revision };
  if (fault.why === "newer" && replaceNewer !== true) throw unreadable(named, REPLACE);
  const good = kept(key);
  if (good === undefined && KEPT.test(key)) throw unreadable(named, ELSEWHERE);
  const written =
    good === undefined ? await facts.remove(key, entry.revision) : await facts.put(key, good, entry.revision);
  if (!written.ok)
    throw new PloyzError({
      code: "conflict",
      message: `${record} was changed meanwhile`,
      hint: "run the same command again",
    });
  return { kind: "store-repaired", record, action: good === undefined ? "removed" : "restored" };
}

const REPLACE = "update this machine: ployzctl machine update; or pass --replace-newer";
const ELSEWHERE = "run the command on another machine, whose mirror may have kept it";
