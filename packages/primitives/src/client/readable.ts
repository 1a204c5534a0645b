const UNITS = ["B", "K", "M", "G", "T", "P"];

/** A count of bytes for people: `512B`, `1.5K`, `20G`. Pure. */
export function bytes(count: number): string {
  let [value, unit] = [count, 0];
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024;
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)}${UNITS[unit]}`;
}

/** Milliseconds for people, in one unit: `340 ms`, `2.5 s`, `17 min`, `3 h`, `12 d`. Pure. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.floor(ms / 3_600_000)} h` : `${Math.floor(ms / 86_400_000)} d`;
}

/** How long before `now` (Unix ms) the time `at` (ISO 8601) was: `3 h ago`; `-` without a time. Pure. */
export const ago = (at: string | undefined, now: number): string =>
  at === undefined || Number.isNaN(Date.parse(at))
    ? "-"
    : `${duration(Math.max(0, now - Date.parse(at)))} ago`;
