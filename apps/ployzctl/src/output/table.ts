import type { Cell, Table } from "./page.ts";
import { textOf } from "./page.ts";
import { wrap } from "./wrap.ts";

const GAP = 2;

export interface Drawn {
  readonly lines: readonly string[];
  /** Columns that did not fit. */
  readonly hidden: readonly string[];
}

/**
 * Draws a table. With a `width`, it drops columns in the table's order until the rest fits; if none is left to drop, it wraps the
 * widest columns between words.
 */
export function drawTable(
  table: Table,
  paint: (cell: Cell) => string,
  width = Number.POSITIVE_INFINITY,
): Drawn {
  const head = table.head.map((text): Cell => ({ text, tone: "dim" }));
  const columns = table.head.map((name, index) =>
    columnOf(
      name,
      [head, ...table.rows].map((row) => row[index] ?? ""),
    ),
  );
  const hidden = new Set<string>();
  const shown = () => columns.filter(({ name }) => !hidden.has(name));
  for (const name of table.drop) {
    if (widthOf(shown()) <= width) break;
    hidden.add(name);
  }
  const fitted = shrunk(shown(), width);
  const lines = [head, ...table.rows].flatMap((_, row) => {
    const texts = fitted.map(({ cells, width: most }) => wrap(textOf(cells[row] ?? ""), most));
    const height = Math.max(...texts.map((one) => one.length));
    return Array.from({ length: height }, (_line, at) =>
      fitted
        .map(({ cells, width: most }, index) => {
          const text = texts[index]?.[at] ?? "";
          const cell = cells[row] ?? "";
          const painted = paint(typeof cell === "string" ? text : { ...cell, text });
          return `${painted}${" ".repeat(Math.max(0, most - text.length))}`;
        })
        .join(" ".repeat(GAP))
        .trimEnd(),
    );
  });
  return { lines, hidden: [...hidden] };
}

interface Column {
  readonly name: string;
  readonly cells: readonly Cell[];
  readonly width: number;
  /** Its longest word. */
  readonly least: number;
}

function columnOf(name: string, cells: readonly Cell[]): Column {
  const texts = cells.map(textOf);
  const longest = (all: readonly string[]) => Math.max(...all.map((text) => text.length));
  return { name, cells, width: longest(texts), least: longest(texts.flatMap((text) => text.split(" "))) };
}

const widthOf = (columns: readonly Column[]): number =>
  columns.reduce((sum, column) => sum + column.width, GAP * (columns.length - 1));

/** Takes width from the widest column that still has words to wrap, until all fit or none has. */
function shrunk(columns: readonly Column[], width: number): readonly Column[] {
  const [widest] = columns.filter((one) => one.width > one.least).sort((a, b) => b.width - a.width);
  if (widest === undefined || widthOf(columns) <= width) return columns;
  return shrunk(
    columns.map((one) => (one === widest ? { ...one, width: one.width - 1 } : one)),
    width,
  );
}
