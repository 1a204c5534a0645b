import type { Context, Input } from "../../command.ts";
import { needOperation } from "../../names.ts";
import { needLimit } from "../../values.ts";

export const OPERATION = {
  name: "operation",
  summary: "Id of the operation",
  required: true,
  source: "operation",
} as const;

/** Operations, newest first; of these primitives alone if there are some. */
export async function listOperations(context: Context, input: Input, primitives: readonly string[]) {
  return (await context.client()).request("GET /v1/operations", {
    query: {
      limit: String(needLimit("--limit", input.number("limit"), 20)),
      ...(primitives.length > 0 && { primitive: primitives.join(",") }),
    },
    signal: context.signal,
  });
}

export async function showOperation(context: Context, input: Input) {
  return (await context.client()).request("GET /v1/operations/:id", {
    params: { id: await needOperation("OPERATION", input.argument("operation")) },
    signal: context.signal,
  });
}
