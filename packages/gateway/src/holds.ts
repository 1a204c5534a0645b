import type { Desired } from "./desired.ts";
import { LONGEST_HOLD_MS } from "./render-backend.ts";
import type { HoldSlot, Worker } from "./worker.ts";

/**
 * The backends that are held, and until when. Kept in this process only: a hold that HAProxy has and this process does not know is one
 * of a caller that is gone, and ends.
 */
export interface Holds {
  /** By HAProxy's names. A second hold of a backend replaces its first; one of 0 ms ends it as soon as a server is live. */
  begin(backends: readonly string[], ms: number): void;
  has(backend: string): boolean;
  any(): boolean;
  /**
   * Applies the holds to the worker: begins new ones, and ends those that are over, which releases their waiting requests. `restore` gives a backend
   * back the servers that a hold has drained, before its waiting requests are released.
   */
  tend(worker: Worker, restore: (backend: string) => Promise<unknown>): Promise<void>;
  /** Before a reload: requests that wait in this worker go to the servers of the new state, or get a 503. Afterwards the worker accepts no commands. */
  letGo(worker: Worker, desired: Desired, checkWords: string): Promise<void>;
  clear(): void;
}

interface Hold {
  readonly until: number;
  /** Ended; kept until nothing waits there any more. */
  over: boolean;
  /** Ended by its caller: it is over as soon as a server is live, since the servers that it drained may only be starting. */
  ending: boolean;
  restored: boolean;
  /** Whether `worker` has been without a live server since: the next live one ends the hold. */
  emptied: boolean;
  worker: number;
}

export function openHolds(): Holds {
  const holds = new Map<string, Hold>();
  const begin = (backend: string, ms: number): Hold => {
    const present = holds.get(backend);
    if (ms <= 0 && present?.over === false) {
      present.ending = true;
      return present;
    }
    const until = performance.now() + ms;
    const hold = { until, over: ms <= 0, ending: false, restored: false, emptied: false, worker: 0 };
    holds.set(backend, hold);
    return hold;
  };
  const tendOne = async (
    worker: Worker,
    slot: HoldSlot,
    restore: (backend: string) => Promise<unknown>,
  ): Promise<void> => {
    const hold = holds.get(slot.backend) ?? (slot.on ? begin(slot.backend, 0) : undefined);
    if (hold === undefined) return;
    if (hold.worker !== worker.pid) {
      // A new worker takes every server for live until its checks have failed.
      hold.worker = worker.pid;
      hold.emptied = false;
    }
    if (hold.ending && !hold.restored) {
      await restore(slot.backend);
      hold.restored = true;
      return; // the next look sees which of them are live
    }
    hold.emptied ||= hold.ending || !slot.live || slot.waiting > 0;
    hold.over ||= performance.now() >= hold.until || (hold.emptied && slot.live);
    if (slot.on && hold.over) await restore(slot.backend);
    if (slot.on === hold.over) await worker.hold(slot.backend, !hold.over);
    else if (hold.over && slot.waiting > 0) {
      // It chose to wait at the moment when the others were sent on; HAProxy sends on only when the place closes.
      await worker.hold(slot.backend, true);
      await worker.hold(slot.backend, false);
    } else if (hold.over) holds.delete(slot.backend);
  };
  return {
    begin(backends, ms) {
      for (const backend of backends) begin(backend, Math.min(ms, LONGEST_HOLD_MS));
    },
    has: (backend) => holds.get(backend)?.over === false,
    any: () => holds.size > 0,
    async tend(worker, restore) {
      const slots = (await worker.look()).holds;
      for (const backend of holds.keys())
        if (!slots.some((slot) => slot.backend === backend)) holds.delete(backend);
      for (const slot of slots) await tendOne(worker, slot, restore);
    },
    async letGo(worker, desired, checkWords) {
      await worker.serve(
        desired.backends.filter((backend) => holds.get(backend.name)?.over === false),
        checkWords,
      );
      for (const slot of (await worker.look()).holds) if (slot.on) await worker.hold(slot.backend, false);
    },
    clear: () => holds.clear(),
  };
}
