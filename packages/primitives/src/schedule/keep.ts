import type { KeepRule } from "../model/schedule.ts";

const PREFIX = "auto-";
const AUTOMATIC = /^auto-([0-9]{4})([0-9]{2})([0-9]{2})t([0-9]{2})([0-9]{2})([0-9]{2})z$/;

/** Name of a scheduled snapshot of this moment. */
export const automaticName = (at: number): string =>
  PREFIX + new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, "").toLowerCase().concat("z");

/** When a scheduled snapshot was taken, by its name; `undefined`: it is none. */
export function automaticTime(name: string): number | undefined {
  const [year, month, day, hour, minute, second] = (AUTOMATIC.exec(name) ?? []).slice(1).map(Number);
  if (year === undefined || month === undefined) return undefined;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

const DAY = 86_400_000;
const PERIODS: Readonly<Record<Exclude<keyof KeepRule, "last">, (at: number) => number | string>> = {
  hourly: (at) => Math.floor(at / 3_600_000),
  daily: (at) => Math.floor(at / DAY),
  // Weeks begin on Monday: the epoch was a Thursday.
  weekly: (at) => Math.floor((at / DAY + 3) / 7),
  monthly: (at) => new Date(at).toISOString().slice(0, 7),
  yearly: (at) => new Date(at).toISOString().slice(0, 4),
};

/** The scheduled snapshots that a rule deletes. The newest always stays, and others' snapshots are not looked at. Pure. */
export function beyondKeep(names: readonly string[], keep: KeepRule): readonly string[] {
  const known = names.flatMap((name) => {
    const at = automaticTime(name);
    return at === undefined ? [] : [{ name, at }];
  });
  return expiredOf(known, keep);
}

/** The names of those that a rule deletes, oldest first. The newest always stays; of two of one time it is the later in the list. `at`: in ms since the epoch. Pure. */
export function expiredOf(
  all: readonly { readonly name: string; readonly at: number }[],
  keep: KeepRule,
): readonly string[] {
  const newest = [...all].reverse().sort((left, right) => right.at - left.at);
  const stays = new Set(newest.slice(0, Math.max(1, keep.last ?? 0)).map(({ name }) => name));
  for (const [rule, periodOf] of Object.entries(PERIODS)) {
    const seen = new Set<number | string>();
    for (const { name, at } of newest) {
      const period = periodOf(at);
      if (seen.has(period)) continue;
      if (seen.size >= (keep[rule as keyof typeof PERIODS] ?? 0)) break;
      seen.add(period);
      stays.add(name);
    }
  }
  return newest.flatMap(({ name }) => (stays.has(name) ? [] : [name])).reverse();
}
