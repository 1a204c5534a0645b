import { createHash } from "node:crypto";
import type { Json } from "../model/json.ts";

/** JSON with sorted keys: equal values give equal text. */
export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonical(item)).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const fields = Object.entries(value as Record<string, Json | undefined>)
    .filter((field): field is [string, Json] => field[1] !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`);
  return `{${fields.join(",")}}`;
}

export function sameJson(a: Json, b: Json): boolean {
  return canonical(a) === canonical(b);
}

/** SHA-256 of the canonical text, in hex. */
export function hashJson(value: Json): string {
  return createHash("sha256").update(canonical(value)).digest("hex");
}

/** The value after a round trip through JSON: plain data, without `undefined` fields. */
export function asJson(value: unknown): Json {
  return value === undefined ? null : (JSON.parse(JSON.stringify(value)) as Json);
}
