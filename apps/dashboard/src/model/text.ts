export { ago, bytes, duration } from "@ployz/primitives/client";

const HIDDEN = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** Text of other programs, with what would hide or reorder it made visible. Pure. */
export const visible = (text: string): string => text.replaceAll(HIDDEN, "\uFFFD");

const COLOURS = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, "g");

/** A line of a log: colours of terminals are left out, tabs stay. Pure. */
export const visibleLine = (line: string): string =>
  line.replaceAll(COLOURS, "").split("\t").map(visible).join("  ");

/** The command in a hint, if it has one without anything to fill in. Pure. */
export function commandIn(hint: string): string | undefined {
  const command = /\b(ployzctl|ssh) [^;,()…]+/
    .exec(hint)?.[0]
    .replace(/\s+(or|on|for it|again|there)\b.*$/, "")
    .trim();
  return command === undefined || /\b[A-Z][A-Z0-9]+\b/.test(command)
    ? undefined
    : command.replace(/[.:]$/, "");
}
