import { errorBody } from "@ployz/errors";
import { pause } from "@ployz/exec";
import type { AlertRecord, Lease, Store } from "@ployz/primitives/protocol";
import type { SecretKeeper } from "../secrets/keeper.ts";
import { warning } from "../warnings/codes.ts";
import { type Changing, decide, delivered, type Happened, NONE, type Present, pendingFor } from "./decide.ts";
import { noteDelivery, send } from "./send.ts";

export const LEASE = "alerts";
const LOOK_MS = 5_000;
const LEASE_MS = 30_000;
/** Between two messages to one alert. All changes of that time share the next message. */
const GAP_MS = 10_000;
const RETRY_MOST_MS = 300_000;
/** A shorter silence of the store is an election or an update. */
const AWAY_MS = 30_000;

/** What one look saw. `undefined`: too little was seen to tell that something is over. */
export interface Seen {
  readonly present: readonly Present[];
  readonly happened: readonly Happened[];
}

/** This machine as a member, as far as it sends. */
export interface Sender {
  readonly self: string;
  readonly cluster: string;
  readonly store: Store;
  readonly secrets: Pick<SecretKeeper, "read">;
  /** From the mirror: without alerts nothing is asked. */
  alerts(): readonly AlertRecord[];
  look(signal: AbortSignal): Promise<Seen | undefined>;
}

export interface AlertDeps {
  /** While this machine is a sender. */
  sender(): Sender | undefined;
  newId(): string;
  log(error: unknown): void;
}

/**
 * Sends alerts: one machine at a time does, the one with the lease. The store has the messages, so another machine continues when that one
 * dies. Ends when the signal aborts.
 */
export async function watchAlerts(deps: AlertDeps, signal: AbortSignal): Promise<void> {
  let turn: Turn | undefined;
  let away: number | undefined;
  while (!signal.aborted) {
    await pause(LOOK_MS, signal);
    const sender = deps.sender();
    if (signal.aborted || sender === undefined || sender.alerts().length === 0) continue;
    try {
      turn = await takeTurn(deps, sender, turn, signal);
      if (turn === undefined) continue;
      const silentMs = away === undefined ? 0 : Date.now() - away;
      const happened = silentMs < AWAY_MS ? [] : [storeWasAway(away ?? 0, Date.now())];
      await step(deps, sender, { turn, happened }, signal);
      away = undefined;
    } catch (error) {
      if (signal.aborted) break;
      if (errorBody(error).code === "store_unavailable") away ??= Date.now();
      else deps.log(error);
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

async function takeTurn(
  { newId }: AlertDeps,
  { store, self }: Sender,
  turn: Turn | undefined,
  signal: AbortSignal,
): Promise<Turn | undefined> {
  if (turn !== undefined) {
    const lease = await store.leases.renew(turn.lease);
    if (lease !== undefined) return { ...turn, lease };
  }
  const won = await store.leases.acquire(LEASE, { operation: newId(), machine: self }, LEASE_MS);
  if (won.acquired) return { lease: won.lease, changing: new Map(), nextAt: new Map() };
  await store.leases.whenFree(LEASE, signal);
  return undefined;
}

async function step(
  deps: AlertDeps,
  sender: Sender,
  { turn, happened }: { readonly turn: Turn; readonly happened: readonly Happened[] },
  signal: AbortSignal,
): Promise<void> {
  const { facts } = sender.store;
  const seen = await sender.look(AbortSignal.any([signal, AbortSignal.timeout(LEASE_MS / 2)]));
  const names = sender.alerts().map(({ name }) => name);
  const found = await facts.get("alerting.state");
  let state = found?.value ?? NONE;
  let revision = found?.revision ?? 0;
  const save = async (next: typeof state) => {
    if (next === state) return true;
    const written = await facts.put("alerting.state", next, revision);
    if (written.ok) [state, revision] = [next, written.revision];
    return written.ok;
  };
  if (seen !== undefined) {
    const { present } = seen;
    const look = { present, happened: [...seen.happened, ...happened], alerts: names };
    const next = decide({ state, changing: turn.changing }, { ...look, now: Date.now(), newId: deps.newId });
    turn.changing = next.changing;
    if (!(await save(next.state))) return;
  }
  if (state.outbox.length === 0) return;
  const took = new Map<string, readonly string[]>();
  await Promise.all(
    sender.alerts().map(async (record) => {
      const { ids, ...pending } = pendingFor(state, record.name) ?? { ids: [] };
      if (!("id" in pending) || (turn.nextAt.get(record.name) ?? 0) > Date.now()) return;
      const message = { ...pending, cluster: sender.cluster };
      const error = await send(record, message, { secrets: sender.secrets, signal }).then(
        () => undefined,
        (cause: unknown) => errorBody(cause).message,
      );
      if (error === undefined) took.set(record.name, ids);
      const tried = { at: new Date().toISOString(), machine: sender.self };
      const failures = await noteDelivery(facts, record.name, {
        ...tried,
        ...(error !== undefined && { error: error.slice(0, 1_000) }),
      });
      const pauseMs = Math.min(GAP_MS * 2 ** Math.min(failures, 10), RETRY_MOST_MS);
      turn.nextAt.set(record.name, Date.now() + pauseMs);
    }),
  );
  const gone = state.outbox.some(({ left }) => left.some((name) => !names.includes(name)));
  if (took.size > 0 || gone) await save(delivered(state, took, names));
}

function storeWasAway(from: number, to: number): Happened {
  const [since, until] = [from, to].map((ms) => new Date(ms).toISOString());
  return {
    id: `store_unreachable ${since}`,
    ...warning("store_unreachable", "", {
      message: `the store did not answer from ${since} to ${until}`,
      hint: "it answers again; see ployzctl store status",
    }),
  };
}
