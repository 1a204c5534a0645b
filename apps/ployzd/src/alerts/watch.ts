import { errorBody } from "@ployz/errors";
import type { Clock } from "@ployz/primitives";
import type { AlertCondition, AlertRecord, AlertState, Lease } from "@ployz/primitives/protocol";
import { isObserved } from "../warnings/codes.ts";
import { type Changing, decide, delivered, NONE, pendingFor, withLeader, withOpen } from "./decide.ts";
import type { Message } from "./message.ts";
import { keepTargets, noteDelivery, type send, type Targets } from "./send.ts";
import type { Sender } from "./sender.ts";
import { AWAY_MS, type Away, sendWithoutStore } from "./without-store.ts";

export const LEASE = "alerts";
const KEY = "alerting.state";
const LOOK_MS = 5_000;
const LEASE_MS = 30_000;
/** Between two messages to one alert. All changes of that time share the next message. */
const GAP_MS = 10_000;
const RETRY_MOST_MS = 300_000;
/** A machine with a broken path of its own leaves the sending to others for this long. */
const BENCH_MS = 60_000;

export interface AlertDeps {
  /** While this machine is a sender. */
  sender(): Sender | undefined;
  readonly clock: Clock;
  readonly send: typeof send;
  newId(): string;
  log(error: unknown): void;
}

/**
 * Sends alerts: one machine at a time does, the one with the lease. The store has the messages, so another machine continues when that one
 * dies. Ends when the signal aborts.
 */
export async function watchAlerts(deps: AlertDeps, signal: AbortSignal): Promise<void> {
  const { clock } = deps;
  const targets: Targets = new Map();
  let turn: Turn | undefined;
  let away: Away | undefined;
  let benchedUntil = 0;
  while (!signal.aborted) {
    await clock.sleep(LOOK_MS, signal);
    const sender = deps.sender();
    if (signal.aborted || sender === undefined || sender.alerts().length === 0) continue;
    try {
      turn = clock.now() < benchedUntil ? undefined : await takeTurn(deps, sender, turn);
      await keepTargets(sender, targets);
      if (away?.sent !== undefined) await noteSent(sender, away.sent);
      away = undefined;
      if (turn === undefined || (await step(deps, sender, { turn, targets }, signal)) === "done") continue;
      await sender.store.leases.release(turn.lease);
      turn = undefined;
      benchedUntil = clock.now() + BENCH_MS;
    } catch (error) {
      if (signal.aborted) break;
      if (errorBody(error).code !== "store_unavailable") {
        deps.log(error);
        continue;
      }
      away ??= { since: clock.now(), took: new Set() };
      if (clock.now() - away.since < AWAY_MS) continue;
      const post = (record: AlertRecord, message: Message) =>
        deps.send(record, message, targets.get(record.name), signal);
      await sendWithoutStore(sender, away, post, deps).catch(deps.log);
    }
  }
  const last = deps.sender();
  if (turn !== undefined && last !== undefined)
    await last.store.leases.release(turn.lease).catch(() => undefined); // it expires
}

interface Turn {
  readonly lease: Lease;
  changing: Changing;
  /** By alert, in epoch milliseconds. */
  readonly nextAt: Map<string, number>;
}

/** Reads and writes the store: an error says that it is away. */
async function takeTurn(
  { newId }: AlertDeps,
  { store, self }: Sender,
  turn: Turn | undefined,
): Promise<Turn | undefined> {
  if (turn !== undefined) {
    const lease = await store.leases.renew(turn.lease);
    if (lease !== undefined) return { ...turn, lease };
  }
  const won = await store.leases.acquire(LEASE, { operation: newId(), machine: self }, LEASE_MS);
  return won.acquired ? { lease: won.lease, changing: new Map(), nextAt: new Map() } : undefined;
}

/** This machine has sent the begin without the store; the machine with the lease sends the end. */
async function noteSent({ store: { facts } }: Sender, sent: AlertCondition): Promise<void> {
  for (;;) {
    const found = await facts.get(KEY);
    const written = await facts.put(KEY, withOpen(found?.value ?? NONE, sent), found?.revision ?? 0);
    if (written.ok) return;
  }
}

async function step(
  deps: AlertDeps,
  sender: Sender,
  { turn, targets }: { readonly turn: Turn; readonly targets: Targets },
  signal: AbortSignal,
): Promise<"done" | "bench"> {
  const { facts } = sender.store;
  const seen = await sender.look(AbortSignal.any([signal, AbortSignal.timeout(LEASE_MS / 2)]));
  if (seen === "partial") return "bench";
  const names = sender.alerts().map(({ name }) => name);
  const found = await facts.get(KEY);
  let state = found?.value ?? NONE;
  let revision = found?.revision ?? 0;
  const save = async (next: typeof state) => {
    if (next === state) return true;
    const written = await facts.put(KEY, next, revision);
    if (written.ok) [state, revision] = [next, written.revision];
    return written.ok;
  };
  if (seen !== "too-little") {
    const unknown = (code: string) => seen.blind === true && isObserved(code);
    const look = { present: seen.present, unknown, alerts: names, now: deps.clock.now() };
    const led = withLeader(state, seen.leader, look.now);
    const next = decide({ state: led, changing: turn.changing }, { ...look, newId: deps.newId });
    turn.changing = next.changing;
    if (!(await save(next.state))) return "done";
  }
  if (state.outbox.length === 0) return "done";
  const took = await deliver(deps, sender, { state, turn, targets }, signal);
  const gone = state.outbox.some(({ left }) => left.some((name) => !names.includes(name)));
  if (took.size > 0 || gone) await save(delivered(state, took, names));
  return "done";
}

/** Which alerts took which messages. */
async function deliver(
  deps: AlertDeps,
  sender: Sender,
  { state, turn, targets }: { readonly state: AlertState; readonly turn: Turn; readonly targets: Targets },
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const { clock } = deps;
  const took = new Map<string, readonly string[]>();
  await Promise.all(
    sender.alerts().map(async (record) => {
      const { ids, ...pending } = pendingFor(state, record.name) ?? { ids: [] };
      if (!("id" in pending) || (turn.nextAt.get(record.name) ?? 0) > clock.now()) return;
      const message = { ...pending, cluster: sender.cluster };
      const error = await deps.send(record, message, targets.get(record.name), signal).then(
        () => undefined,
        (cause: unknown) => errorBody(cause).message,
      );
      if (error === undefined) took.set(record.name, ids);
      const tried = { at: new Date(clock.now()).toISOString(), machine: sender.self };
      const failures = await noteDelivery(sender.store.facts, record.name, {
        ...tried,
        ...(error !== undefined && { error: error.slice(0, 1_000) }),
      });
      const pauseMs = Math.min(GAP_MS * 2 ** Math.min(failures, 10), RETRY_MOST_MS);
      turn.nextAt.set(record.name, clock.now() + pauseMs);
    }),
  );
  return took;
}
