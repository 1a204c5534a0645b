export type Tone = "ok" | "warn" | "bad" | "dim" | "strong";
export type Cell = string | { readonly text: string; readonly tone: Tone };

export interface Table {
  readonly kind: "table";
  /** Starts each line of --plain where a page has several tables. */
  readonly name: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  /** Columns to drop on a narrow terminal, the first one first. */
  readonly drop: readonly string[];
  /** Printed instead of a table without rows; not with --plain. */
  readonly empty: string;
}

export type Block =
  | Table
  | {
      readonly kind: "lines";
      readonly lines: readonly Cell[] /** Left out of --plain. */;
      readonly remark?: true;
    };

/** The form of a document for people. */
export type Page = readonly Block[];

export const table = (
  name: string,
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  { empty, drop = [] }: { readonly empty: string; readonly drop?: readonly string[] },
): Table => ({ kind: "table", name, head, rows, drop, empty });
export const lines = (...lines: readonly Cell[]): Block => ({ kind: "lines", lines });
export const remark = (...lines: readonly Cell[]): Block => ({ kind: "lines", lines, remark: true });

/** Text of other programs must not control the terminal or break a column. */
export const clean = (text: string): string => text.replaceAll(/\p{Cc}/gu, "\uFFFD");
export const textOf = (cell: Cell): string => clean(typeof cell === "string" ? cell : cell.text);

export function bytes(count: number): string {
  const units = ["B", "K", "M", "G", "T"];
  let [value, unit] = [count, 0];
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)}${units[unit]}`;
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.floor(ms / 3_600_000)} h` : `${Math.floor(ms / 86_400_000)} d`;
}

export const ago = (at: string | undefined, now: number): string =>
  at === undefined || Number.isNaN(Date.parse(at))
    ? "-"
    : `${duration(Math.max(0, now - Date.parse(at)))} ago`;
