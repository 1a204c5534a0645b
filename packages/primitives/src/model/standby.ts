import { count, object, text } from "./schema.ts";

/** The last copy that a standby has received, as the fact `standby.<namespace>.<volume>.<machine>`. */
export const StandbyRecord = object({
  operation: text(),
  /** RFC 3339: the standby holds everything that was written before. */
  takenAt: text(),
  at: text(),
  by: text(),
  /** The volume's id, and the machine that it was copied from. */
  id: text(),
  source: text(),
  snapshot: text(),
  guid: text(),
  /** Of the last transfer. */
  bytes: count(),
  ms: count(),
});

/** Key of the fact. */
export const standbyKey = (namespace: string, volume: string, machine: string): `standby.${string}` =>
  `standby.${namespace}.${volume}.${machine}`;

const PREFIX = "standby-";
/** An operation's id (ULID) in lower case. */
const OPERATION = /-[0-7][0-9a-hjkmnp-tv-z]{25}$/;

/** The snapshot that an operation sends to a standby. Only the standby's own operations delete it. */
export const standbySnapshot = (machine: string, operation: string): string =>
  `${PREFIX}${machine}-${operation.toLowerCase()}`;

/** The machine that a snapshot was sent to; `undefined`: no standby needs it. */
export function standbyOf(snapshot: string): string | undefined {
  const end = OPERATION.exec(snapshot)?.index;
  return end === undefined || !snapshot.startsWith(PREFIX) ? undefined : snapshot.slice(PREFIX.length, end);
}

/** Letters of the longest name of such a snapshot. */
export const STANDBY_SNAPSHOT = `${PREFIX}${"m".repeat(63)}-`.length + 26;
