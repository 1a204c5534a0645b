import type { AuditEntry } from "../api.ts";
import type { AuditDocument } from "../documents.ts";
import type { Terminal } from "../terminal.ts";
import type { Mode } from "./mode.ts";

/** Prints the calls as they arrive, one line each. */
export async function writeAudit(terminal: Terminal, mode: Mode, document: AuditDocument): Promise<void> {
  const { follow, events } = document;
  if (mode.json && !follow) {
    const entries: AuditEntry[] = [];
    for await (const entry of events) entries.push(entry);
    terminal.out.write(`${JSON.stringify({ kind: "audit", entries })}\n`);
    return;
  }
  for await (const entry of events) {
    const { at, caller, operation = "-", command, object = "-", outcome } = entry;
    const cells = [at, caller, operation, command, object, outcome].map(visible);
    terminal.out.write(
      mode.json ? `${JSON.stringify(entry)}\n` : `${cells.join(mode.plain ? "\t" : "  ")}\n`,
    );
  }
}

/** Callers choose some of these words. */
const visible = (text: string): string => text.replaceAll(/\p{Cc}/gu, "\uFFFD");
