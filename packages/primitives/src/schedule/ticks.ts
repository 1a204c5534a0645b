import type { MissedTick, Schedule, ScheduleRecord } from "../model/schedule.ts";
import { nextTick } from "./cron.ts";

/** What to do about the ticks of a schedule up to now. */
export type Ticks = {
  /** Up to here they are decided, by this decision. */
  readonly decided: number;
  /** The tick to run now. */
  readonly run?: number;
  readonly missed: readonly MissedTick[];
};

/** Ticks of cron are counted one by one, and no further than this: a machine that was off for a year must not count all its minutes. */
const COUNTED = 1_000;
const KEPT = 10;

const iso = (at: number): string => new Date(at).toISOString();

/**
 * Decides due ticks: the last tick runs if it is not later than the deadline, or if missed ticks run once; the ones before it are
 * missed. `undefined`: nothing is due. `busy`: the run before has not ended. Pure.
 */
export function decideTicks(
  schedule: Schedule,
  record: Pick<ScheduleRecord, "decided" | "paused">,
  { now, busy }: { readonly now: number; readonly busy: boolean },
): Ticks | undefined {
  // Of the ticks that wait for the run before, the last one runs after it.
  if (record.paused !== undefined || (busy && schedule.overlap === "wait")) return undefined;
  const { count, last } = dueTicks(schedule, Date.parse(record.decided), now);
  if (last === undefined) return undefined;
  const missed = (why: MissedTick["why"], before: number): MissedTick => ({ tick: iso(last), why, before });
  if (busy) return { decided: last, missed: [missed("overlap", count - 1)] };
  if (now - last > schedule.deadlineMs && schedule.missed === "report")
    return { decided: last, missed: [missed("late", count - 1)] };
  const earlier = count > 1 ? previousOf(schedule, Date.parse(record.decided), last) : undefined;
  return {
    decided: last,
    run: last,
    missed: earlier === undefined ? [] : [{ tick: iso(earlier), why: "late", before: count - 2 }],
  };
}

function dueTicks(schedule: Schedule, decided: number, now: number): { count: number; last?: number } {
  if (schedule.everyMs !== undefined) {
    const { everyMs } = schedule;
    const last = Math.floor(now / everyMs) * everyMs;
    const count = Math.round(last / everyMs) - Math.floor(decided / everyMs);
    return count > 0 ? { count, last } : { count: 0 };
  }
  let count = 0;
  let last = decided;
  for (; count < COUNTED; count++) {
    const next = nextTick(schedule, last);
    if (next === undefined || next > now) return count === 0 ? { count } : { count, last };
    last = next;
  }
  return { count, last: lastTick(schedule, last, now) };
}

/** The last tick up to an instant, from a tick before it on: by halves, since there may be a year of minutes between. */
function lastTick(schedule: Schedule, from: number, until: number): number {
  let [last, none] = [from, until + 1];
  while (none - last > 1) {
    const middle = Math.floor((last + none) / 2);
    const next = nextTick(schedule, middle - 1);
    if (next !== undefined && next <= until) last = next;
    else none = middle;
  }
  return last;
}

function previousOf(schedule: Schedule, decided: number, last: number): number | undefined {
  if (schedule.everyMs !== undefined) return last - schedule.everyMs;
  const first = nextTick(schedule, decided);
  return first === undefined || first >= last ? undefined : lastTick(schedule, first, last - 1);
}

/**
 * Puts missed ticks to those that a record has: a row of the same reason is one entry. In a full record the oldest entry is counted in the next one
 * of its reason, so that no missed tick is lost.
 */
export function withMissed(known: readonly MissedTick[], more: readonly MissedTick[]): readonly MissedTick[] {
  const all = [...known];
  for (const next of more) {
    const last = all.at(-1);
    if (last?.why === next.why) all[all.length - 1] = { ...next, before: last.before + 1 + next.before };
    else all.push(next);
  }
  while (all.length > KEPT) {
    const [oldest] = all.splice(0, 1);
    const at = all.findIndex(({ why }) => why === oldest?.why);
    const heir = all[at];
    if (oldest && heir) all[at] = { ...heir, before: heir.before + 1 + oldest.before };
  }
  return all;
}
