import type { Document, ErrorDocument, LogsDocument, UsageDocument } from "../documents.ts";
import type { Terminal, Writer } from "../terminal.ts";
import { errorCells } from "./error.ts";
import { isColored, type Mode } from "./mode.ts";
import type { Page } from "./page.ts";

export const printText = (terminal: Terminal, text: string): void => terminal.out.write(text);

/** Prints a result: nothing else does. */
export async function printDocument(terminal: Terminal, mode: Mode, document: Document): Promise<void> {
  if (document.kind === "logs") return printLogs(terminal, mode, document);
  if (document.kind === "access-log") {
    const { writeAccess } = await import("./access-log.ts");
    return writeAccess(terminal, mode, document);
  }
  if (document.kind === "audit") {
    const { writeAudit } = await import("./audit.ts");
    return writeAudit(terminal, mode, document);
  }
  if (document.kind === "events") {
    const { writeEvents } = await import("./events.ts");
    return writeEvents(terminal, mode, document);
  }
  if (document.kind === "usage") return printUsage(terminal, mode, document);
  if (mode.json) return terminal.out.write(`${JSON.stringify(document)}\n`);
  if (document.kind === "error") return printError(terminal, mode, document);
  const { pageOf } = await import("./pages/index.ts");
  const whole = pageOf(document, Date.now());
  const page = mode.quiet ? whole.filter((block) => block.kind === "table" || block.remark !== true) : whole;
  const text = await pageText(page, mode, terminal.out);
  (isFailure(document) ? terminal.err : terminal.out).write(text);
}

const pageText = async (page: Page, mode: Mode, out: Writer): Promise<string> =>
  mode.plain ? plainPage(page) : await humanPage(page, mode, out);

/** The screen is drawn again for each measurement. */
async function printUsage(terminal: Terminal, mode: Mode, { live, events }: UsageDocument): Promise<void> {
  const { usagePage } = await import("./pages/usage.ts");
  for await (const usage of events) {
    if (mode.json) terminal.out.write(`${JSON.stringify(usage)}\n`);
    else
      terminal.out.write(
        `${live ? "\u001b[H\u001b[2J" : ""}${await pageText(usagePage(usage), mode, terminal.out)}`,
      );
  }
}

/** Failures go to stderr: stdout has only results. */
const isFailure = (document: Document): boolean =>
  document.kind === "detached" || (document.kind === "operation" && document.state !== "done");

async function printLogs(terminal: Terminal, mode: Mode, document: LogsDocument): Promise<void> {
  const { writeLogs } = await import("./logs.ts");
  await writeLogs(terminal, mode, document);
}

async function printError(terminal: Terminal, mode: Mode, document: ErrorDocument): Promise<void> {
  const { painter } = await import("./paint.ts");
  const paint = painter(isColored(mode, terminal.err));
  const bodies = document.refusals ?? [document.error];
  for (const [index, body] of bodies.entries()) {
    // Errors in a row with the same hint show it once.
    const same = bodies[index + 1]?.hint === body.hint;
    for (const cell of errorCells(body, !same)) terminal.err.write(`${paint(cell)}\n`);
  }
}

function plainPage(page: Page): string {
  const several = page.filter(({ kind }) => kind === "table").length > 1;
  const clean = (cell: string | { readonly text: string }) =>
    (typeof cell === "string" ? cell : cell.text).replaceAll(/\p{Cc}/gu, "\uFFFD");
  return page
    .flatMap((block) => {
      if (block.kind === "lines") return block.remark === true ? [] : block.lines.map(clean);
      return block.rows.map((row) => [...(several ? [block.name] : []), ...row.map(clean)].join("\t"));
    })
    .map((line) => `${line}\n`)
    .join("");
}

async function humanPage(page: Page, mode: Mode, out: Writer): Promise<string> {
  const [{ painter }, { drawTable }] = await Promise.all([import("./paint.ts"), import("./table.ts")]);
  const paint = painter(isColored(mode, out));
  const width = out.tty && !mode.wide ? out.columns : undefined;
  const hidden = new Set<string>();
  const texts = page.flatMap((block) => {
    if (block.kind === "lines") return block.lines.map(paint);
    if (block.rows.length === 0) return [paint({ text: block.empty, tone: "dim" })];
    const drawn = drawTable(block, paint, width);
    for (const name of drawn.hidden) hidden.add(name);
    return drawn.lines;
  });
  if (hidden.size > 0 && !mode.quiet)
    texts.push(paint({ text: `not shown: ${[...hidden].join(", ")} (-o wide shows all)`, tone: "dim" }));
  return texts.map((line) => `${line}\n`).join("");
}
