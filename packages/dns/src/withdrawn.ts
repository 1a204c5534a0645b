import type { Answer } from "dns-packet";
import type { Zone } from "./zone.ts";

/** The answers that are outdated and may still be in use, because their TTL has not passed. Times in ms. */
export interface Withdrawn {
  /** These names were just answered with records. */
  answered(names: readonly string[], now: number): void;
  /** The zone changed. */
  changed(before: Zone, after: Zone, now: number): void;
  /** Until when a withdrawn answer for `name`, or a name below it, may be in use; 0 when there is none. */
  until(name: string): number;
}

/** For a client that connects in the last moment of the TTL. */
const SLACK_MS = 100;

export function trackWithdrawn(): Withdrawn {
  // Holds names of the zone only, so its size is bounded by the zone's.
  const given = new Map<string, number>();
  const stale = new Map<string, number>();
  return {
    answered(names, now) {
      for (const name of names) given.set(name.toLowerCase(), now);
    },
    changed(before, after, now) {
      for (const [name, until] of stale) if (until <= now) stale.delete(name);
      for (const [name, at] of given) {
        const until = at + before.ttl * 1000 + SLACK_MS;
        const kept = after.names.get(name);
        if (until > now && lost(before.names.get(name) ?? [], kept ?? [])) stale.set(name, until);
        if (until <= now || kept === undefined) given.delete(name);
      }
    },
    until(name) {
      let latest = 0;
      for (const [own, until] of stale)
        if (own === name || own.endsWith(`.${name}`)) latest = Math.max(latest, until);
      return latest;
    },
  };
}

function lost(before: readonly Answer[], after: readonly Answer[]): boolean {
  const kept = new Set(after.map((record) => JSON.stringify(record)));
  return before.some((record) => !kept.has(JSON.stringify(record)));
}
