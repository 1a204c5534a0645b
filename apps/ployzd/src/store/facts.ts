import type { Entry, Json, RawFacts } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";

export interface Placed {
  readonly generation: number;
  /** The machines that hold it. */
  readonly stores: readonly string[];
  /** The present members, where they differ from the stored ones: facts `cluster`, `machine.…` and `subnet.…`. */
  readonly members: Readonly<Record<string, Json>> | null;
}

/** Writes generation, store machines and members into a restored store before it opens. */
export async function placeFacts(facts: RawFacts, placed: Placed): Promise<void> {
  const standing = (await facts.list("")).filter(({ key }) => isMembership(key));
  for (const { key, value, expected } of wantedFacts(standing, placed)) {
    const written =
      value === undefined ? await facts.remove(key, expected) : await facts.put(key, value, expected);
    if (!written.ok)
      throw new PloyzError({
        code: "store_not_empty",
        message: `another writer changed generation ${placed.generation} of the store (${key})`,
        hint: "run the command again",
      });
  }
}

const isMembership = (key: string): boolean =>
  key === "cluster" || key.startsWith("machine.") || key.startsWith("subnet.");

interface Write {
  readonly key: string;
  /** Absent: delete it. */
  readonly value?: Json;
  readonly expected: number;
}

const isTable = (value: Json): value is { readonly [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Only the differing facts. Pure. */
export function wantedFacts(standing: readonly Entry<Json>[], placed: Placed): readonly Write[] {
  const present = new Map(standing.map((entry) => [entry.key, entry]));
  const members = placed.members ?? Object.fromEntries(standing.map(({ key, value }) => [key, value]));
  const puts = Object.entries(members).map(([key, value]): Write => {
    const expected = present.get(key)?.revision ?? 0;
    // One that is no record stays as it is.
    if (!isTable(value)) return { key, value, expected };
    if (key === "cluster") return { key, value: { ...value, generation: placed.generation }, expected };
    if (!key.startsWith("machine.")) return { key, value, expected };
    const store = placed.stores.includes(key.slice("machine.".length));
    return { key, value: { ...value, store }, expected };
  });
  const removes = standing
    .filter(({ key }) => !Object.hasOwn(members, key))
    .map(({ key, revision }): Write => ({ key, expected: revision }));
  const changes = puts.filter(
    ({ key, value }) => JSON.stringify(present.get(key)?.value) !== JSON.stringify(value),
  );
  return [...changes, ...removes];
}
