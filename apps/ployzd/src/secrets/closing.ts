import { once } from "node:events";
import { createBackoff } from "@ployz/exec";
import { closeSecrets, type LocalStoreMachine, type Session } from "@ployz/nats-store";
import type { AskPeer } from "../peers/ask.ts";

const RETRY_MS = 1_000;
const RETRY_MOST_MS = 60_000;

export interface Closing {
  readonly self: string;
  readonly session: Session;
  readonly local: Pick<LocalStoreMachine, "record" | "sealKey">;
  readonly ask: AskPeer;
  readonly close?: typeof closeSecrets;
}

/**
 * Closes the secrets of the store's present generation, on a store machine: see `closeSecrets`. Not before the daemon of every store
 * machine is of a version that writes to closed secrets; the one that is updated last closes them. Resolves with whether it did.
 */
export async function closeWhenAllKnow({
  self,
  session,
  local,
  ask,
  close = closeSecrets,
}: Closing): Promise<boolean> {
  const sealKey = await local.sealKey();
  const serving = (await local.record())?.generations.findLast(({ state }) => state === "serving");
  // Connecting to another generation is another occasion.
  if (sealKey === undefined || serving?.generation !== session.generation()) return false;
  const others = (serving.routes?.servers ?? []).map(({ machine }) => machine).filter((id) => id !== self);
  const looks = await Promise.all(others.map((id) => ask(id, "store.look", null)));
  if (looks.some(({ closesSecrets }) => closesSecrets !== true)) return false;
  return (await close(session, sealKey)).changed;
}

/** Does so whenever the session connects, until it succeeds or finds an older daemon. Ends when the signal aborts. */
export async function keepSecretsClosed(
  closing: Closing,
  log: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  let again = false;
  const runs = new Set<Promise<void>>();
  const run = async () => {
    const backoff = createBackoff(RETRY_MS, RETRY_MOST_MS);
    while (again && !signal.aborted) {
      again = false;
      try {
        await closeWhenAllKnow(closing);
      } catch (error) {
        log(error);
        again = true;
        await backoff.pause(signal);
      }
    }
  };
  const wake = () => {
    again = true;
    if (runs.size > 0) return;
    const running = run().finally(() => runs.delete(running));
    runs.add(running);
  };
  const off = closing.session.onEvent((event) => event === "connected" && wake());
  if (closing.session.connected()) wake();
  if (!signal.aborted) await once(signal, "abort");
  off();
  await Promise.all(runs);
}
