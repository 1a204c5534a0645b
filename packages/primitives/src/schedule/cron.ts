import { Cron } from "croner";
import type { Schedule } from "../model/schedule.ts";
import { instantOf, wallOf } from "./zone.ts";

type Times = Pick<Schedule, "cron" | "everyMs" | "timezone">;

/** More wall-clock times than any change of the clocks maps to one instant. */
const TRIES = 200;

/** Reading the fields takes longer than finding a tick. */
const KNOWN = 100;
const known = new Map<string, Cron>();

function parsed(cron: string, timezone = "UTC"): Cron {
  const key = `${timezone} ${cron}`;
  const there = known.get(key);
  if (there !== undefined) return there;
  const read = new Cron(cron, { mode: "5-part", timezone, paused: true });
  if (known.size >= KNOWN) known.clear();
  known.set(key, read);
  return read;
}

/** Why these are no five cron fields, or that they never match; `undefined` when they are. */
export function cronProblem(cron: string): string | undefined {
  if (!/^[0-9A-Za-z*/,\- ]+$/.test(cron)) return "has characters that no cron field has";
  try {
    return parsed(cron).nextRun(new Date(0)) === null ? "never matches" : undefined;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^CronPattern: /, "") : "cannot be read";
  }
}

/**
 * The first tick after an instant; `undefined`: there is none. A schedule of every hour, or with an interval, runs in each of the two hours
 * that the clocks show twice; one with an hour runs in the first of them. Pure.
 */
export function nextTick(times: Times, after: number): number | undefined {
  const { cron, everyMs, timezone } = times;
  if (everyMs !== undefined) return (Math.floor(after / everyMs) + 1) * everyMs;
  if (cron === undefined) return undefined;
  const everyHour = cron.trim().split(/\s+/)[1] === "*";
  // croner leaves out what clocks skip when several times match, and so is asked in UTC where the hour counts.
  if (everyHour) return parsed(cron, timezone).nextRun(new Date(after))?.getTime();
  const fields = parsed(cron);
  let wall = wallOf(after, timezone);
  for (let tries = 0; tries < TRIES; tries++) {
    const next = fields.nextRun(new Date(wall));
    if (next === null) return undefined;
    wall = next.getTime();
    const instant = instantOf(wall, timezone);
    if (instant > after) return instant;
  }
  return undefined;
}
