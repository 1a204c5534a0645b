import type { ErrorBody } from "@ployz/errors";
import { shown } from "../model/names.ts";

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

export function invalid(segments: readonly Segment[], message: string, hint?: string): ErrorBody {
  const field = fieldPath(segments);
  return {
    code: "invalid_input",
    message: field === "" ? message : `${field}: ${message}`,
    ...(hint !== undefined && { hint }),
    details: { field },
  };
}

/** The nearest of `known` when it is near enough to be a slip of the fingers. */
export function didYouMean(word: string, known: readonly string[]): string | undefined {
  if (word.length > 64) return undefined;
  let best: string | undefined;
  let least = Math.min(word.length, Math.max(1, Math.floor(word.length / 3)) + 1);
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Levenshtein, one row at a time. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
