import type { Refusal } from "../error-codes.ts";
import { shown } from "./names.ts";

export type Segment = string | number;

/** `services.web.routes[0].port`; keys that are not plain words are quoted. */
export function fieldPath(segments: readonly Segment[]): string {
  let path = "";
  for (const segment of segments) {
    if (typeof segment === "number") path += `[${segment}]`;
    else if (/^[A-Za-z0-9_-]{1,63}$/.test(segment)) path += path === "" ? segment : `.${segment}`;
    else path += `${path === "" ? "" : "."}${shown(segment)}`;
  }
  return path;
}

export function invalid(segments: readonly Segment[], message: string, hint?: string): Refusal {
  const field = fieldPath(segments);
  return {
    code: "invalid_input",
    message: field === "" ? message : `${field}: ${message}`,
    ...(hint !== undefined && { hint }),
    details: { field },
  };
}
