import {
  Commit,
  error,
  MachineObservation,
  MachineRecord,
  OperationSummary,
} from "@ployz/primitives/documents";
import { DOCUMENTS, LINES } from "./documents.ts";

/** Of the schema in `$defs`: documents by their kind, lines, and what several of them contain. */
const NAMED: Readonly<Record<string, object>> = {
  ...DOCUMENTS,
  ...LINES,
  "error-body": error(),
  "machine-observation": MachineObservation,
  "machine-record": MachineRecord,
  "namespace-commit": Commit,
  "operation-summary": OperationSummary,
};
/** Of the kinds and lines that can be asked for. */
export const NAMES: readonly string[] = Object.keys({ ...DOCUMENTS, ...LINES });
const nameOf = new Map(Object.entries(NAMED).map(([name, schema]) => [JSON.stringify(schema), name]));
const reference = (name: string) => ({ $ref: `#/$defs/${name}` });

/** The JSON Schema of these documents and lines; without names, the content of `schema/ployzctl.schema.json`. */
export function jsonSchema(names = NAMES): string {
  const defs: Record<string, object> = {};
  const define = (name: string) => {
    if (name in defs) return;
    defs[name] = {}; // keeps the order
    const text = JSON.stringify(NAMED[name], (key, value: unknown) => {
      const known = key === "" ? undefined : nameOf.get(JSON.stringify(value) ?? "");
      if (known === undefined) return value;
      define(known);
      return reference(known);
    });
    defs[name] = JSON.parse(text) as object;
  };
  names.forEach(define);
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "What ployzctl prints with --json",
    description: "One document on stdout, told apart by its kind; lines of NDJSON with --events or --follow.",
    anyOf: names.map(reference),
    $defs: defs,
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}
