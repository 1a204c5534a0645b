import { pause } from "@ployz/exec";
import type { Session } from "@ployz/nats-store";
import type { MembershipFollower } from "../mesh/follow.ts";
import type { AskPeer } from "../peers/ask.ts";

const AGAIN_MS = 500;
const LOOK_MS = 2_000;
/** While the store answers, checking for a newer one is not urgent. */
const CALM_ROUNDS = 10;
const ASKED_AT_ONCE = 3;

interface Watched {
  readonly membership: Pick<MembershipFollower, "known" | "moved">;
  readonly ask: AskPeer;
  readonly self: string;
}

/**
 * Asks every peer for the store's location until one answers: a machine that was away must not open its former store, which may have been
 * recovered elsewhere meanwhile. Resolves at once without peers.
 */
export async function heardFromPeers({ membership, ask, self }: Watched, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const peers = peersOf(membership, self);
    const answers = await Promise.allSettled(
      peers.map(async (id) => membership.moved(await ask(id, "store.where", null))),
    );
    if (peers.length === 0 || answers.some(({ status }) => status === "fulfilled")) return;
    await pause(AGAIN_MS, signal);
  }
}

const peersOf = (membership: Watched["membership"], self: string): readonly string[] =>
  membership
    .known()
    .machines.map(({ id }) => id)
    .filter((id) => id !== self);

/**
 * Learns the store's location from peers: continuously from some, since an old server still answers reads; and from more of them while the
 * store is away.
 */
export async function watchGeneration(
  { session, membership, ask, self }: Watched & { readonly session: Session },
  signal: AbortSignal,
): Promise<void> {
  let next = 0;
  for (let round = 1; !signal.aborted; round++) {
    await pause(LOOK_MS, signal);
    if (signal.aborted || (session.connected() && round % CALM_ROUNDS !== 0)) continue;
    const peers = peersOf(membership, self);
    const some = Array.from(
      { length: Math.min(ASKED_AT_ONCE, peers.length) },
      () => peers[next++ % peers.length] ?? "",
    );
    await Promise.all(
      some.map(async (id) => {
        try {
          membership.moved(await ask(id, "store.where", null));
        } catch {
          // Away itself: the next one is asked.
        }
      }),
    );
  }
}
