import type { ClusterEvent } from "@ployz/primitives/client";
import { PloyzError } from "../../error-codes.ts";

/** Events that one follower has not read yet. */
export interface EventQueue extends AsyncIterable<ClusterEvent> {
  push(event: ClusterEvent): void;
}

/** A follower that is further behind than this has stopped reading. */
const MOST = 2_000;

/**
 * Of samples that wait, only the newest is kept. Ends when the signal aborts.
 * @throws PloyzError `follower_slow` at the reader, when more than `most` events wait.
 */
export function eventQueue(signal: AbortSignal, most = MOST): EventQueue {
  let waiting: ClusterEvent[] = [];
  let slow = false;
  let wake: () => void = () => {};
  return {
    push(event) {
      if (event.type === "sample") waiting = waiting.filter(({ type }) => type !== "sample");
      waiting.push(event);
      if (waiting.length > most) [slow, waiting] = [true, []];
      wake();
    },
    async *[Symbol.asyncIterator]() {
      const abort = () => wake();
      signal.addEventListener("abort", abort, { once: true });
      try {
        while (!signal.aborted) {
          if (slow)
            throw new PloyzError({
              code: "follower_slow",
              message: `more than ${most} events wait for this follower`,
              hint: "follow again, and read the present state first",
            });
          const next = waiting.shift();
          if (next !== undefined) yield next;
          else
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
        }
      } finally {
        signal.removeEventListener("abort", abort);
      }
    },
  };
}
