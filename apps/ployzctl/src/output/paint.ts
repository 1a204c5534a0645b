import colors from "picocolors";
import type { Cell, Tone } from "./page.ts";
import { textOf } from "./page.ts";

/** Colours cells by their tone, if `color`. */
export function painter(color: boolean): (cell: Cell) => string {
  const { green, yellow, red, dim, bold } = colors.createColors(color);
  const tones: Readonly<Record<Tone, (text: string) => string>> = {
    ok: green,
    warn: yellow,
    bad: red,
    dim,
    strong: bold,
  };
  return (cell) => (typeof cell === "string" ? textOf(cell) : tones[cell.tone](textOf(cell)));
}
