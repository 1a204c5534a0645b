import type { LogEvent } from "@ployz/primitives/client";
import { visible, visibleLine } from "./text.ts";

export interface Line {
  /** Counts up, so that a line keeps its element. */
  readonly id: number;
  readonly time: string;
  readonly from: string;
  readonly text: string;
  readonly kind: "stdout" | "stderr" | "gap";
}

/** The newest lines that the page keeps. */
export const MOST_LINES = 5_000;

export const lineOf = (event: LogEvent, id: number): Line =>
  event.type === "gap"
    ? {
        id,
        time: "",
        from: event.machine,
        text: `no logs from here: ${visible(event.error.message)}`,
        kind: "gap",
      }
    : {
        id,
        time: event.time.slice(11, 23),
        from: `${event.service}.${event.instance.split(".")[2] ?? ""}@${event.machine}`,
        text: visibleLine(event.line),
        kind: event.stream,
      };

/** The lines in which every word of the search is, in any case. Pure. */
export function found(lines: readonly Line[], search: string): readonly Line[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return lines;
  return lines.filter(({ from, text }) => {
    const whole = `${from} ${text}`.toLowerCase();
    return words.every((word) => whole.includes(word));
  });
}
