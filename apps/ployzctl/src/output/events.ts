import type { ClusterEvent } from "../api.ts";
import type { EventsDocument } from "../documents.ts";
import type { Terminal } from "../terminal.ts";
import type { Mode } from "./mode.ts";
import { clean } from "./page.ts";

/** Prints the events as they arrive, one line each. */
export async function writeEvents(terminal: Terminal, mode: Mode, document: EventsDocument): Promise<void> {
  const { follow, events } = document;
  if (mode.json && !follow) {
    const all: ClusterEvent[] = [];
    for await (const event of events) all.push(event);
    terminal.out.write(`${JSON.stringify({ kind: "events", events: all })}\n`);
    return;
  }
  for await (const event of events) {
    if (mode.json) terminal.out.write(`${JSON.stringify(event)}\n`);
    else {
      const cells = cellsOf(event).map(clean);
      if (cells.length > 0) terminal.out.write(`${[event.at, ...cells].join(mode.plain ? "\t" : "  ")}\n`);
    }
  }
}

/** The kind of change, its name, and how it changed; empty for samples and the start of a stream. */
function cellsOf(event: ClusterEvent): readonly string[] {
  switch (event.type) {
    case "commit": {
      const { namespace, revision, primitive, operation, by, removed } = event;
      return ["commit", `${namespace}@${revision}`, removed ? "removed" : primitive, operation, `by ${by}`];
    }
    case "operation": {
      const { operation, state, title, error } = event.operation;
      return ["operation", operation, state, title, ...(error === undefined ? [] : [error.message])];
    }
    case "machine":
      return ["machine", event.machine, event.state ?? "gone"];
    case "reachable":
      return event.reachable
        ? ["machine", event.machine, "answers"]
        : ["machine", event.machine, "does not answer", event.error?.message ?? "-"];
    case "instance":
      return ["instance", event.id, event.state ?? "gone", `on ${event.machine}`];
    case "warning":
      return ["warning", event.state, event.message, event.hint];
    default:
      return [];
  }
}
