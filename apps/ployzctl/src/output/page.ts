export { ago, bytes, duration } from "@ployz/primitives/client";

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
