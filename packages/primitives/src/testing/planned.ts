import type { Kinds, Plan, Refusals, Summary } from "../engine/types.ts";

/** The plan of a primitive that must not refuse. */
export function planned<K extends Kinds, S extends Summary>(result: Plan<K, S> | Refusals): Plan<K, S> {
  if ("refusals" in result) throw new Error(`refused: ${JSON.stringify(result.refusals)}`);
  return result;
}

export const refusalsOf = <K extends Kinds>(result: Plan<K> | Refusals): Refusals["refusals"] =>
  "refusals" in result ? result.refusals : [];
