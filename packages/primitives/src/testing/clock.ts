import type { Clock } from "../engine/clock.ts";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
}

/** A clock that jumps to the next timer as soon as nothing else can happen, so that minutes of waiting take microseconds. */
export interface VirtualClock extends Clock {
  /** Timers that have not fired. */
  pending(): number;
}

/** Starts on 2030-01-01. Deterministic as long as everything that is awaited is in memory: then a turn of the event loop ends all of it. */
export function createVirtualClock(start = Date.UTC(2030, 0, 1)): VirtualClock {
  let now = start;
  let order = 0;
  let scheduled = false;
  const timers = new Set<Timer>();

  const turn = () => {
    scheduled = false;
    const next = [...timers].sort((a, b) => a.at - b.at || a.order - b.order)[0];
    if (next === undefined) return;
    timers.delete(next);
    now = Math.max(now, next.at);
    next.fire();
    schedule();
  };
  const schedule = () => {
    if (scheduled || timers.size === 0) return;
    scheduled = true;
    setImmediate(turn);
  };

  return {
    now: () => now,
    pending: () => timers.size,
    sleep(ms, signal) {
      if (signal?.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const timer: Timer = {
          at: now + Math.max(0, ms),
          order: order++,
          fire() {
            signal?.removeEventListener("abort", stop);
            resolve();
          },
        };
        const stop = () => {
          timers.delete(timer);
          resolve();
        };
        signal?.addEventListener("abort", stop, { once: true });
        timers.add(timer);
        schedule();
      });
    },
  };
}
