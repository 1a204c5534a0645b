import colors from "picocolors";
import type { Cell, Tone } from "./page.ts";
import { textOf } from "./page.ts";

/** Puts a tone on text, or nothing where there is no colour. */
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
