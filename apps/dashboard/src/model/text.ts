const HIDDEN = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** Text of other programs, with what would hide or reorder it made visible. Pure. */
export const visible = (text: string): string => text.replaceAll(HIDDEN, "\uFFFD");

const COLOURS = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, "g");

/** A line of a log: colours of terminals are left out, tabs stay. Pure. */
export const visibleLine = (line: string): string =>
  line.replaceAll(COLOURS, "").split("\t").map(visible).join("  ");

export function bytes(count: number): string {
  const units = ["B", "K", "M", "G", "T", "P"];
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
    ? "–"
    : `${duration(Math.max(0, now - Date.parse(at)))} ago`;

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
