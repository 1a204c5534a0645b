import { decideTicks, nextTick, type ScheduleEntry, withMissed } from "@ployz/primitives/host";
import type { MissedTick, ScheduleRecord, ScheduleRun } from "@ployz/primitives/protocol";
import { SKEW_MS } from "../clock.ts";

/** A machine that has claimed a tick and reports nothing of it for this long has lost it. */
export const REPORT_MS = 30_000;
/** How much later each further machine tries, so that as a rule one writes to the store. */
export const TURN_MS = 1_000;
/** No machine whose clock is right decides ticks this far ahead of another one. */
const AHEAD_MS = 3 * SKEW_MS;

const iso = (at: number): string => new Date(at).toISOString();

/** What a machine writes about a schedule now; `run`: and then runs, if it was the one that wrote. */
export type Claim = { readonly record: ScheduleRecord; readonly run?: string };

/** Ticks that were decided by a clock ahead of this one, or before this one was set back. */
export const isAhead = ({ decided }: Pick<ScheduleRecord, "decided">, now: number): boolean =>
  Date.parse(decided) - now > AHEAD_MS;

/** A run without an end: its operation is looked at where it matters. */
export const isOpen = (run: ScheduleRun | undefined): run is ScheduleRun =>
  run !== undefined && run.endedAt === undefined;

/**
 * The change of a schedule's record that is due; `undefined`: none. `ended`: how the open run has ended, as its operation says;
 * `"lost"`: there is no such operation. `sure`: this machine's clock is right, so that a record from the future is not. Pure.
 */
export function claimOf(
  entry: Pick<ScheduleEntry, "schedule" | "hash" | "offsetMs">,
  known: ScheduleRecord | undefined,
  {
    now,
    self,
    ended,
    sure = false,
  }: { readonly now: number; readonly self: string; readonly ended: Ended; readonly sure?: boolean },
): Claim | undefined {
  // A new schedule's first tick is the first after now.
  if (known === undefined || known.schedule !== entry.hash) {
    const { paused } = known ?? {};
    return { record: { schedule: entry.hash, decided: iso(now), missed: [], ...(paused && { paused }) } };
  }
  if (isAhead(known, now)) return sure ? { record: setBack(known, now) } : undefined;
  const { run: last, ...rest } = known;
  const lost = isOpen(last) && ended === "lost" && isPast(Date.parse(last.startedAt), now);
  const settled =
    !isOpen(last) || ended === undefined || (ended === "lost" && !lost) ? last : endOf(last, ended, now);
  const due = now - (entry.offsetMs ?? 0);
  const ticks = decideTicks(entry.schedule, known, { now: due, busy: isOpen(settled) });
  const found: readonly MissedTick[] = [
    ...(lost ? [{ tick: last?.tick ?? "", why: "lost" as const, before: 0 }] : []),
    ...(ticks?.missed ?? []),
  ];
  if (ticks === undefined && settled === last) return undefined;
  const tick = ticks?.run === undefined ? undefined : iso(ticks.run);
  const run = tick === undefined ? settled : { tick, machine: self, startedAt: iso(now) };
  return {
    record: {
      ...rest,
      decided: ticks === undefined ? known.decided : iso(ticks.decided),
      missed: withMissed(known.missed, found),
      ...(run && { run }),
      ...(tick !== undefined && settled !== undefined && { before: settled }),
    },
    ...(tick !== undefined && { run: tick }),
  };
}

/** Long enough ago for a report, or by a wrong clock. */
export const isPast = (at: number, now: number): boolean => now - at > REPORT_MS || at - now > AHEAD_MS;

/** Which ticks did not run while the record was ahead is not known. */
function setBack({ run, ...rest }: ScheduleRecord, now: number): ScheduleRecord {
  const stays = run !== undefined && (run.endedAt === undefined || Date.parse(run.tick) <= now);
  const known = rest.missed.filter(({ tick }) => Date.parse(tick) <= now);
  const missed = withMissed(known, [{ tick: iso(now), why: "clock", before: 0 }]);
  return { ...rest, ...(stays && { run }), decided: iso(now), missed };
}

/** `undefined`: it runs, or nothing is known. */
export type Ended = Pick<ScheduleRun, "state" | "error"> | "lost" | undefined;

const endOf = (run: ScheduleRun, ended: Exclude<Ended, undefined>, now: number): ScheduleRun => ({
  ...run,
  endedAt: iso(now),
  ...(ended === "lost" ? { state: "lost" } : ended),
});

/** Milliseconds until this machine looks at a schedule again; `undefined`: only after a change. Pure. */
export function waitFor(
  entry: Pick<ScheduleEntry, "schedule" | "namespace" | "name" | "offsetMs">,
  known: Pick<ScheduleRecord, "decided" | "paused"> | undefined,
  {
    now,
    self,
    machines,
  }: { readonly now: number; readonly self: string; readonly machines: readonly string[] },
): number | undefined {
  const turn = turnOf(self, machines, `${entry.namespace}/${entry.name}`) * TURN_MS;
  if (known === undefined) return turn;
  if (known.paused !== undefined) return undefined;
  if (isAhead(known, now)) return turn;
  const next = nextTick(entry.schedule, Date.parse(known.decided));
  if (next === undefined) return undefined;
  return Math.max(0, next + (entry.offsetMs ?? 0) + turn - now);
}

/** 0 for the machine that begins; schedules begin with different machines. */
export function turnOf(self: string, machines: readonly string[], name: string): number {
  const sorted = [...machines].sort();
  const first =
    Array.from(name).reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 65_521, 7) %
    Math.max(1, sorted.length);
  const place = sorted.indexOf(self);
  return place < 0 ? sorted.length : (place - first + sorted.length) % sorted.length;
}
