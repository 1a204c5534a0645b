import { setTimeout as delay } from "node:timers/promises";
import type { Session } from "@ployz/nats-store";
import type { MembershipFollower, StorePlace } from "../mesh/follow.ts";
import type { AskPeer } from "../peers/ask.ts";

const LOOK_MS = 2_000;
/** While the store answers it is enough to hear of a newer one some time. */
const CALM_ROUNDS = 10;
const ASKED_AT_ONCE = 3;

/**
 * Learns from peers where the store has gone: all of the time from some of them, as an old server still answers reads; and from more
 * of them at once while the store is away.
 */
export async function watchGeneration(
  {
    session,
    membership,
    ask,
    self,
  }: {
    readonly session: Session;
    readonly membership: MembershipFollower;
    readonly ask: AskPeer;
    readonly self: string;
  },
  signal: AbortSignal,
): Promise<void> {
  let next = 0;
  for (let round = 1; !signal.aborted; round++) {
    await delay(LOOK_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted || (session.connected() && round % CALM_ROUNDS !== 0)) continue;
    const peers = membership
      .known()
      .machines.map(({ id }) => id)
      .filter((id) => id !== self);
    const some = Array.from(
      { length: Math.min(ASKED_AT_ONCE, peers.length) },
      () => peers[next++ % peers.length] ?? "",
    );
    await Promise.all(
      some.map(async (id) => {
        try {
          membership.moved((await ask(id, "store.where", null)) as unknown as StorePlace);
        } catch {
          // Away itself: the next one is asked.
        }
      }),
    );
  }
}
