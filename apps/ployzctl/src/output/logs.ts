import type { LogEvent } from "../api.ts";
import type { LogsDocument } from "../documents.ts";
import type { Terminal } from "../terminal.ts";
import { isColored, type Mode } from "./mode.ts";

const COLORS = [36, 32, 33, 35, 34, 96, 92, 93, 95, 94];

/** Prints log lines as they arrive, each with its instance. */
export async function writeLogs(terminal: Terminal, mode: Mode, document: LogsDocument): Promise<void> {
  const { follow, events } = document;
  if (mode.json && !follow) {
    const all: LogEvent[] = [];
    for await (const event of events) all.push(event);
    terminal.out.write(`${JSON.stringify({ kind: "logs", events: all })}\n`);
    return;
  }
  const colored = isColored(mode, terminal.out);
  const seen = new Map<string, number>();
  for await (const event of events) {
    if (mode.json) terminal.out.write(`${JSON.stringify(event)}\n`);
    else if (event.type === "gap")
      terminal.err.write(`warning: no logs from ${event.machine}: ${event.error.message}\n`);
    else if (event.type === "change") terminal.err.write(`${changed(event)}\n`);
    else if (mode.plain)
      terminal.out.write(
        `${[event.time, event.machine, event.instance, event.stream, visible(event.line)].join("\t")}\n`,
      );
    else terminal.out.write(`${prefix(event, colored, seen)} ${visible(event.line)}\n`);
  }
}

/** Ids are `NAMESPACE.SERVICE.SLOT.TAIL`. */
const shortly = (ids: readonly string[]) => ids.map((id) => id.split(".").slice(1, 3).join(".")).join(", ");

function changed({ namespace, primitive, operation, started, ended }: LogEvent & { type: "change" }): string {
  const parts = [
    ...(started.length > 0 ? [`started ${shortly(started)}`] : []),
    ...(ended.length > 0 ? [`ended ${shortly(ended)}`] : []),
  ];
  return `${namespace}: ${primitive} ${operation} ${parts.join(", ")}`;
}

function prefix(event: LogEvent & { type: "line" }, color: boolean, seen: Map<string, number>): string {
  const text = `${event.service}.${event.instance.split(".")[2] ?? ""}@${event.machine} |`;
  if (!color) return text;
  const index = seen.get(event.instance) ?? seen.size;
  seen.set(event.instance, index);
  return `\u001b[${COLORS[index % COLORS.length]}m${text}\u001b[39m`;
}

/** Keeps a workload's colours; removes other control sequences. */
const visible = (line: string): string =>
  line.replaceAll(/\p{Cc}/gu, (char, at: number) =>
    char === "\t" || (char === "\u001b" && /^\[[\d;]*m/.test(line.slice(at + 1))) ? char : "\uFFFD",
  );
