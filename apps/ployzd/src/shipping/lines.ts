import type { LogLine } from "@ployz/runtime";

/** Whose lines they are. */
export interface Origin {
  readonly namespace: string;
  readonly service: string;
  readonly slot: string;
  readonly revision: string;
  readonly instance: string;
}

/** A line on its way; with `instance`, `stream`, `time` and `nth` it is known again when it is sent twice. */
export interface ShippedLine extends LogLine {
  readonly origin: Origin;
  /** Its place among the lines of its stream that have the same time; from 1. */
  readonly nth: number;
}

/** How far a stream of an instance was taken: the last line's time, and how many lines with that time. */
export interface Mark {
  readonly time: string;
  readonly nth: number;
}

/** How far an instance's log was taken. */
export interface Cursor {
  readonly origin: Origin;
  readonly stdout?: Mark;
  readonly stderr?: Mark;
}

/** `undefined` for an instance of another program. */
export function originOf(instance: string, labels: Readonly<Record<string, string>>): Origin | undefined {
  const { namespace, service, slot = "", revision = "" } = labels;
  if (namespace === undefined || service === undefined) return undefined;
  return { namespace, service, slot, revision, instance };
}

/** The lines after a cursor, counted; each stream by itself, since two loggers write them. */
export async function* linesAfter(
  cursor: Cursor,
  lines: AsyncIterable<LogLine>,
): AsyncGenerator<ShippedLine> {
  const seen: { stdout?: Mark; stderr?: Mark } = {};
  for await (const line of lines) {
    const last = seen[line.stream];
    const nth = last?.time === line.time ? last.nth + 1 : 1;
    seen[line.stream] = { time: line.time, nth };
    const taken = cursor[line.stream];
    if (taken !== undefined && (line.time < taken.time || (line.time === taken.time && nth <= taken.nth)))
      continue;
    yield { ...line, origin: cursor.origin, nth };
  }
}

/** Two loggers write the streams: a line of one may come this much later than lines of the other with a later time. */
const APART_MS = 60_000;

/** Milliseconds since the epoch from which on lines may be missing; undefined: from the first line on. */
export function sinceOf({ stdout, stderr }: Cursor): number | undefined {
  const [first = Number.NaN, last = first] = [stdout, stderr]
    .flatMap((mark) => (mark === undefined ? [] : [Date.parse(mark.time)]))
    .sort((a, b) => a - b);
  if (Number.isNaN(last)) return undefined;
  const both = stdout !== undefined && stderr !== undefined;
  return Math.max(both ? first : 0, last - APART_MS);
}

/** The cursor after a line was taken. */
export const advanced = (cursor: Cursor, { stream, time, nth }: ShippedLine): Cursor => ({
  ...cursor,
  [stream]: { time, nth },
});

/** Nanoseconds since the epoch, in decimal: more than a number holds. */
export function nanosOf(time: string): string {
  const fraction = /\.(\d{1,9})Z$/.exec(time)?.[1] ?? "";
  return `${Date.parse(`${time.slice(0, 19)}Z`) / 1000}${fraction.padEnd(9, "0")}`;
}
