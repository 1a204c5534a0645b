import type { AlertCondition, AlertState } from "@ployz/primitives/protocol";

/** A condition that the cluster has now. */
export type Present = Omit<AlertCondition, "since">;

export const NONE: AlertState = { open: [], outbox: [] };

/** A condition has to last this long before its message, and to be absent this long before the message about its end. */
export const HOLD_MS = 20_000;
/** The state is one record of the store, which is written at each change: messages that a receiver does not take must not fill it. */
const OUTBOX_BYTES = 262_144;
const OPEN = 500;

export const keyOf = ({ code, about }: Pick<Present, "code" | "about">): string => `${code} ${about}`;

/** By key, in epoch milliseconds: since when a condition without a message is present, or one with a message is absent. */
export type Changing = ReadonlyMap<string, number>;

export interface Decision {
  /** The same object when there is no message. */
  readonly state: AlertState;
  readonly changing: Changing;
}

/** The messages after a look at the cluster. All conditions that begin or end at once share one. Pure. */
export function decide(
  before: { readonly state: AlertState; readonly changing: Changing },
  look: {
    readonly present: readonly Present[];
    /** Whether it is unknown that an absent condition of this code is over: a machine does not answer. */
    unknown(code: string): boolean;
    /** Names of alerts. */
    readonly alerts: readonly string[];
    /** Epoch milliseconds. */
    readonly now: number;
    newId(): string;
  },
): Decision {
  const { state } = before;
  const present = new Map(look.present.map((one) => [keyOf(one), one]));
  const open = new Map(state.open.map((one) => [keyOf(one), one]));
  const changing = new Map<string, number>();
  const lasts = (key: string) => {
    const since = before.changing.get(key) ?? look.now;
    changing.set(key, since);
    return look.now - since >= HOLD_MS;
  };
  const begun: AlertCondition[] = [];
  for (const [key, one] of present) {
    if (open.has(key) || open.size >= OPEN || !lasts(key)) continue;
    const condition = { ...one, since: new Date(changing.get(key) ?? look.now).toISOString() };
    changing.delete(key);
    begun.push(condition);
    open.set(key, condition);
  }
  const ended: AlertCondition[] = [];
  for (const one of state.open) {
    const key = keyOf(one);
    if (present.has(key) || look.unknown(one.code) || !lasts(key)) continue;
    changing.delete(key);
    ended.push(one);
    open.delete(key);
  }
  if (begun.length === 0 && ended.length === 0) return { state, changing };
  const at = new Date(look.now).toISOString();
  const message = { id: look.newId(), at, begun, ended, left: look.alerts };
  const outbox = look.alerts.length === 0 ? state.outbox : bounded([...state.outbox, message]);
  return { changing, state: { ...state, open: [...open.values()], outbox } };
}

type Outbox = AlertState["outbox"];

/** Without the oldest messages where all are too large: the next one counts what they had. */
function bounded(outbox: Outbox): Outbox {
  const [oldest, next, ...rest] = outbox;
  if (oldest === undefined || next === undefined || JSON.stringify(outbox).length <= OUTBOX_BYTES)
    return outbox;
  const omitted = oldest.begun.length + oldest.ended.length + (oldest.omitted ?? 0) + (next.omitted ?? 0);
  return bounded([{ ...next, omitted }, ...rest]);
}

/** Everything that one alert has not taken yet, as one message; a condition that has begun and ended meanwhile is in it twice. Pure. */
export function pendingFor(state: AlertState, alert: string) {
  const waiting = state.outbox.filter(({ left }) => left.includes(alert));
  const last = waiting.at(-1);
  const omitted = waiting.reduce((sum, one) => sum + (one.omitted ?? 0), 0);
  return (
    last && {
      id: last.id,
      at: last.at,
      ...(omitted > 0 && { omitted }),
      begun: waiting.flatMap(({ begun }) => begun),
      ended: waiting.flatMap(({ ended }) => ended),
      ids: waiting.map(({ id }) => id),
    }
  );
}

/** The outbox after these alerts took these messages. Alerts that are gone are not waited for. Pure. */
export function delivered(
  state: AlertState,
  took: ReadonlyMap<string, readonly string[]>,
  alerts: readonly string[],
): AlertState {
  const outbox = state.outbox
    .map((entry) => ({
      ...entry,
      left: entry.left.filter((name) => alerts.includes(name) && took.get(name)?.includes(entry.id) !== true),
    }))
    .filter(({ left }) => left.length > 0);
  return { ...state, outbox };
}

/** The state with the store's present leader, and with the one before while the change is recent. Pure. */
export function withLeader(state: AlertState, machine: string | undefined, now: number): AlertState {
  const known = state.leader;
  if (machine === undefined || known?.machine === machine) return state;
  const at = new Date(now).toISOString();
  return { ...state, leader: { machine, at, ...(known !== undefined && { before: known.machine }) } };
}

/** The state with a condition whose begin was sent while the store was away: its end goes through the store. Pure. */
export const withOpen = (state: AlertState, condition: AlertCondition): AlertState =>
  state.open.some((one) => keyOf(one) === keyOf(condition))
    ? state
    : { ...state, open: [...state.open, condition] };
