import type { Document, ErrorDocument, LogsDocument } from "../documents.ts";
import type { Terminal } from "../terminal.ts";
import { errorCells } from "./error.ts";
import { isColored, type Mode } from "./mode.ts";
import type { Page } from "./page.ts";

export const printText = (terminal: Terminal, text: string): void => terminal.out.write(text);

/** Prints a result: nothing else does. */
export async function printDocument(terminal: Terminal, mode: Mode, document: Document): Promise<void> {
  if (document.kind === "logs") return printLogs(terminal, mode, document);
  if (mode.json) return terminal.out.write(`${JSON.stringify(document)}\n`);
  if (document.kind === "error") return printError(terminal, mode, document);
  const { pageOf } = await import("./pages/index.ts");
  const whole = pageOf(document, Date.now());
  const page = mode.quiet ? whole.filter((block) => block.kind === "table" || block.remark !== true) : whole;
  const text = mode.plain ? plainPage(page) : await humanPage(page, isColored(mode, terminal.out));
  (isFailure(document) ? terminal.err : terminal.out).write(text);
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

async function humanPage(page: Page, color: boolean): Promise<string> {
  const [{ painter }, { default: Table }] = await Promise.all([import("./paint.ts"), import("cli-table3")]);
  const paint = painter(color);
  const none = Object.fromEntries(FRAME.map((part) => [part, ""]));
  return page
    .map((block) => {
      if (block.kind === "lines") return block.lines.map((line) => `${paint(line)}\n`).join("");
      if (block.rows.length === 0) return `${paint({ text: block.empty, tone: "dim" })}\n`;
      const drawn = new Table({
        chars: { ...none, middle: "  " },
        style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
        head: block.head.map((text) => paint({ text, tone: "dim" })),
      });
      drawn.push(...block.rows.map((row) => row.map(paint)));
      return `${drawn
        .toString()
        .split("\n")
        .map((line) => line.trimEnd())
        .join("\n")}\n`;
    })
    .join("");
}

const FRAME = [
  ...["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"],
  ...["left", "left-mid", "mid", "mid-mid", "right", "right-mid"],
];
