import type { LogEvent } from "@ployz/primitives/client";
import { visible, visibleLine } from "./text.ts";

export interface Line {
  /** Counts up, so that a line keeps its element. */
  readonly id: number;
  readonly time: string;
  readonly from: string;
  readonly text: string;
  readonly kind: "stdout" | "stderr" | "gap" | "change";
}

/** The newest lines that the page keeps. */
export const MOST_LINES = 5_000;

const instanceText = (service: string, instance: string): string =>
  `${service}.${instance.split(".")[2] ?? ""}`;

export function lineOf(event: LogEvent, id: number): Line {
  if (event.type === "gap") {
    const text = `no logs from here: ${visible(event.error.message)}`;
    return { id, time: "", from: event.machine, text, kind: "gap" };
  }
  const time = event.time.slice(11, 23);
  if (event.type === "change") {
    const { primitive, operation, started, ended } = event;
    const names = [...started.map((one) => `+${one}`), ...ended.map((one) => `−${one}`)];
    const text = visible(`${primitive} ${operation}: ${names.join(" ")}`);
    return { id, time, from: event.namespace, text, kind: "change" };
  }
  const from = `${instanceText(event.service, event.instance)}@${event.machine}`;
  return { id, time, from, text: visibleLine(event.line), kind: event.stream };
}

/** The lines in which every word of the search is, in any case. Pure. */
export function found(lines: readonly Line[], search: string): readonly Line[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return lines;
  return lines.filter(({ from, text }) => {
    const whole = `${from} ${text}`.toLowerCase();
    return words.every((word) => whole.includes(word));
  });
}
