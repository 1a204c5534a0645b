import type { AccessEvent } from "../api.ts";
import type { AccessDocument } from "../documents.ts";
import type { Terminal } from "../terminal.ts";
import type { Mode } from "./mode.ts";

type Request = AccessEvent & { readonly type: "request" };

/** Prints requests as they arrive, one line each. */
export async function writeAccess(terminal: Terminal, mode: Mode, document: AccessDocument): Promise<void> {
  const { follow, events } = document;
  if (mode.json && !follow) {
    const all: AccessEvent[] = [];
    for await (const event of events) all.push(event);
    terminal.out.write(`${JSON.stringify({ kind: "access-log", events: all })}\n`);
    return;
  }
  for await (const event of events) {
    if (mode.json) terminal.out.write(`${JSON.stringify(event)}\n`);
    else if (event.type === "gap")
      terminal.err.write(`warning: no access log from ${event.machine}: ${event.error.message}\n`);
    else
      terminal.out.write(
        `${cells(event)
          .map(visible)
          .join(mode.plain ? "\t" : " ")}\n`,
      );
  }
}

function cells(request: Request): readonly string[] {
  const { time, machine, client = "-", status, method = "-", scheme, host = "-", path = "" } = request;
  const { bytesOut, totalMs, instance, instanceMachine, requestId = "-" } = request;
  return [
    ...[time, machine, client, String(status), method],
    `${scheme === undefined ? "" : `${scheme}://`}${host}${path}`,
    ...[`${bytesOut}B`, `${totalMs}ms`],
    instance === undefined ? "-" : `${instance}@${instanceMachine ?? ""}`,
    requestId,
  ];
}

/** Clients choose some of these words. */
const visible = (text: string): string => text.replaceAll(/[\p{Cc} ]/gu, "\uFFFD");
