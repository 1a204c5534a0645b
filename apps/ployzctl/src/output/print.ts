import type { Document, ErrorDocument, LogsDocument } from "../documents.ts";
import type { ErrorBody } from "../errors.ts";
import type { Terminal } from "../terminal.ts";
import type { Cell, Page } from "./page.ts";

export interface Mode {
  readonly json: boolean;
  readonly plain: boolean;
  readonly color: boolean;
}

export const printText = (terminal: Terminal, text: string): void => terminal.out.write(text);

/** The only way that a result reaches the operator. */
export async function printDocument(terminal: Terminal, mode: Mode, document: Document): Promise<void> {
  if (document.kind === "logs") return printLogs(terminal, mode, document);
  if (mode.json) return terminal.out.write(`${JSON.stringify(document)}\n`);
  if (document.kind === "error") return printError(terminal, mode, document);
  const { pageOf } = await import("./pages/index.ts");
  const page = pageOf(document, Date.now());
  terminal.out.write(mode.plain ? plainPage(page) : await humanPage(page, mode.color));
}

async function printLogs(terminal: Terminal, mode: Mode, document: LogsDocument): Promise<void> {
  const { writeLogs } = await import("./logs.ts");
  await writeLogs(terminal, mode, document);
}

async function printError(terminal: Terminal, mode: Mode, document: ErrorDocument): Promise<void> {
  const { painter } = await import("./paint.ts");
  const paint = painter(mode.color && terminal.err.tty);
  const bodies = document.refusals ?? [document.error];
  for (const [index, body] of bodies.entries()) {
    // One hint for several errors that have the same.
    const same = bodies[index + 1]?.hint === body.hint;
    terminal.err.write(`${errorLines(body, paint, !same).join("\n")}\n`);
  }
}

/** `error: …`, the log lines that came with it, and `hint: …`. */
export function errorLines(
  { message, hint, details }: ErrorBody,
  paint: (cell: Cell) => string,
  withHint = true,
): readonly string[] {
  return [
    `${paint({ text: "error:", tone: "bad" })} ${paint(message)}`,
    ...logLines(details).map((line) => `    ${paint({ text: line, tone: "dim" })}`),
    ...(hint === undefined || !withHint ? [] : [`hint: ${paint(hint)}`]),
  ];
}

/** The last lines that a failed instance said, where an error has them. */
export function logLines(details: ErrorBody["details"]): readonly string[] {
  if (typeof details !== "object" || details === null || !("logs" in details)) return [];
  return Array.isArray(details.logs) ? details.logs.map(String) : [];
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
