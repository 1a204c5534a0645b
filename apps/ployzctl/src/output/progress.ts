import type { OperationEvent } from "@ployz/primitives/client";
import type { Globals } from "../settings.ts";
import type { Terminal } from "../terminal.ts";
import { clean, duration } from "./page.ts";
import { type Amount, transferText } from "./rate.ts";

/** Live progress on stderr. */
export interface Progress {
  /** `of` labels one of several operations that run in parallel. */
  event(event: OperationEvent, of?: string): void;
  /** One remark, e.g. what Ctrl-C did. */
  note(text: string): void;
  /** Clears the line that is overwritten. */
  end(): void;
}

export function openProgress(
  { json, events, quiet }: Globals,
  { err, env }: Terminal,
  now: () => number = Date.now,
): Progress {
  if (json && events) {
    return {
      event: (event, of) => err.write(`${JSON.stringify(of === undefined ? event : { ...event, of })}\n`),
      note: (text) => err.write(`${JSON.stringify({ type: "note", text })}\n`),
      end: () => {},
    };
  }
  if (json || quiet) {
    return { event: () => {}, note: () => {}, end: () => {} };
  }
  const overwrites = err.tty && env.TERM !== "dumb";
  let live = "";
  const erase = () => {
    if (live !== "") err.write("\r\u001b[K");
    live = "";
  };
  const line = (text: string) => {
    erase();
    err.write(`${text}\n`);
  };
  const show = (text: string) => {
    if (!overwrites) return;
    erase();
    live = text.slice(0, Math.max(20, err.columns - 1));
    err.write(live);
  };
  const amountOf = transferText(now);
  const shownAt = new Map<string, number>();
  const noted = new Set<string>();
  /** Ids of operations that may still be refused, or have nothing to do: they get no record, and are not shown. */
  const accepted = new Map<string, string>();
  const begins = (event: OperationEvent, label: string): string | undefined => {
    if (event.type === "accepted")
      accepted.set(label, `operation ${event.operation}${event.resumed ? " (resumed)" : ""}`);
    const runs = event.type === "plan" ? event.plan.changes : event.type === "step";
    const said = runs ? accepted.get(label) : undefined;
    if (runs) accepted.delete(label);
    return said;
  };
  return {
    note: line,
    end: erase,
    event(event, of) {
      const label = of === undefined ? "" : `${of}: `;
      const begun = begins(event, label);
      if (begun !== undefined) line(clean(`${label}${begun}`));
      const { lasting, moment } = sentence(event, (amount) =>
        amountOf(`${label}${"step" in event ? event.step : ""}`, amount),
      );
      if (lasting !== undefined) line(clean(`${label}${lasting}`));
      if (moment !== undefined) show(clean(`${label}${moment}`));
      // Without overwriting, the reason why a step waits is one line, and a transfer a line at each tenth.
      if (event.type === "progress" && !overwrites && event.done === undefined && moment !== undefined) {
        if (!noted.has(`${label}${moment}`)) line(clean(`${label}${moment}`));
        noted.add(`${label}${moment}`);
      }
      if (event.type === "progress" && !overwrites && event.total !== undefined && event.done !== undefined) {
        const tenth = Math.floor((event.done / Math.max(1, event.total)) * 10);
        const key = `${label}${event.step}`;
        if (shownAt.get(key) !== tenth && moment !== undefined) line(clean(`${label}${moment}`));
        shownAt.set(key, tenth);
      }
    },
  };
}

type Sentence = { readonly lasting?: string; readonly moment?: string };

/** `lasting` stays on the screen; the next line overwrites `moment`. */
function sentence(event: OperationEvent, amountText: (amount: Amount) => string): Sentence {
  switch (event.type) {
    case "waiting":
      return { lasting: `waiting: ${event.what}` };
    case "plan":
      return {};
    case "progress": {
      const { note, done, total } = event;
      return { moment: `  … ${note}${done === undefined ? "" : amountText({ done, total })}` };
    }
    case "committed":
      return { lasting: "  * committed" };
    case "step":
      return stepSentence(event);
    default:
      return {};
  }
}

function stepSentence(event: OperationEvent & { readonly type: "step" }): Sentence {
  const where = event.machine === undefined ? "" : ` [${event.machine}]`;
  const time = event.ms === undefined ? "" : ` (${duration(event.ms)})`;
  switch (event.state) {
    case "started":
      return { moment: `  … ${event.title}${where}` };
    case "done":
      return { lasting: `  + ${event.title}${where}${time}` };
    case "failed":
      return { lasting: `  x ${event.title}${where}: ${event.error?.message ?? "failed"}` };
    case "undoing":
      return { moment: `  … undoing: ${event.title}${where}` };
    case "undone":
      return { lasting: `  - undone: ${event.title}${where}${time}` };
    case "undo-failed":
      return { lasting: `  ! undo failed: ${event.title}${where}: ${event.error?.message ?? "failed"}` };
  }
}
