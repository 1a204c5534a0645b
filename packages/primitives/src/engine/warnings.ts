import type { Json } from "../model/json.ts";

/** Warnings in a step's output; none of a step that is still owed. */
export function warningsOf(out: Json | undefined): readonly string[] {
  if (typeof out !== "object" || out === null) return [];
  const { warning, warnings = [] } = out as {
    readonly warning?: string;
    readonly warnings?: readonly string[];
  };
  return warning === undefined ? warnings : [warning, ...warnings];
}
