import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import type { TSchema } from "typebox";
import { Commit } from "../model/commit.ts";
import { FACTS, type FactTypes, factName } from "../model/facts.ts";
import { JournalEntry } from "../model/journal.ts";
import { OperationSummary } from "../model/operation.ts";

/** Why a record cannot be read. */
export type Fault = {
  /** `newer`: its format `v` is of a later version of Ployz. */
  readonly why: "newer" | "invalid";
  readonly detail: string;
};

/** The format that this version writes, where a record says one in `v`. */
const FORMAT = 1;

/** Compiled when first needed. Fields that the schema does not name are taken as they are. */
function checker<T>(schema: TSchema) {
  let compiled: ValidateFunction<T> | undefined;
  return (value: unknown): Fault | undefined => {
    compiled ??= new Ajv2020({ strict: true, strictTypes: false, validateSchema: false }).compile<T>(schema);
    if (compiled(value)) return undefined;
    const v = isObject(value) ? value.v : undefined;
    if (typeof v === "number" && v > FORMAT)
      return { why: "newer", detail: `its format is ${v}; this version of Ployz reads up to ${FORMAT}` };
    const [error] = compiled.errors ?? [];
    const field = error?.instancePath.slice(1).replaceAll("/", ".") ?? "";
    return { why: "invalid", detail: `${field === "" ? "it" : field} ${error?.message ?? "is not valid"}` };
  };
}

const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const commit = checker<Commit>(Commit);
const facts = Object.fromEntries(
  Object.entries(FACTS).map(([name, schema]) => [name, checker<FactTypes[keyof FactTypes]>(schema)]),
);

export const journalEntryFault = checker<JournalEntry>(JournalEntry);
export const summaryFault = checker<OperationSummary>(OperationSummary);

/** The fault of the commit under a namespace's name, if any. */
export function commitFault(namespace: string, value: unknown): Fault | undefined {
  return commit(value) ?? misplaced("namespace", namespace, value);
}

/** The fault of the fact under a key, if any. A fact of a name that this version does not know has none. */
export function factFault(key: string, value: unknown): Fault | undefined {
  const name = factName(key);
  if (name === undefined) return undefined;
  const fault = facts[name]?.(value);
  return fault ?? (name === "machine" ? misplaced("id", key.slice("machine.".length), value) : undefined);
}

function misplaced(field: string, expected: string, value: unknown): Fault | undefined {
  const found = isObject(value) ? value[field] : undefined;
  return found === expected ? undefined : { why: "invalid", detail: `${field} is not ${expected}` };
}
