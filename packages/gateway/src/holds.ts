import type { Desired } from "./render.ts";
import { LONGEST_HOLD_MS } from "./render-backend.ts";
import type { Worker } from "./worker.ts";

/**
 * Which backends let requests wait, and until when. Kept in this process only: a hold that HAProxy has and nobody here knows of is one
 * of a caller that is gone, and ends.
 */
export interface Holds {
  /** By HAProxy's names. A second hold of a backend replaces its first. */
  begin(backends: readonly string[], ms: number): void;
  has(backend: string): boolean;
  any(): boolean;
  /** Makes the worker agree: begins what it has not begun, and ends what is over, which sends on what waits. */
  tend(worker: Worker): Promise<void>;
  /** Before a reload: what waits in this worker gets what the new state has for it, or its 503. It could not be told afterwards. */
  letGo(worker: Worker, desired: Desired, checkWords: string): Promise<void>;
  clear(): void;
}

interface Hold {
  readonly until: number;
  /** Whether `worker` has been without a live server since: the next live one ends the hold. */
  emptied: boolean;
  worker: number;
}

export function openHolds(): Holds {
  const holds = new Map<string, Hold>();
  return {
    begin(backends, ms) {
      const until = performance.now() + Math.min(ms, LONGEST_HOLD_MS);
      for (const backend of backends) holds.set(backend, { until, emptied: false, worker: 0 });
    },
    has: (backend) => holds.has(backend),
    any: () => holds.size > 0,
    async tend(worker) {
      const slots = await worker.holds();
      for (const backend of holds.keys())
        if (!slots.some((slot) => slot.backend === backend)) holds.delete(backend);
      for (const slot of slots) {
        const hold = holds.get(slot.backend);
        if (hold !== undefined && hold.worker !== worker.pid) {
          // A new worker takes every server for live until its checks have failed.
          hold.worker = worker.pid;
          hold.emptied = false;
        }
        if (hold !== undefined && (!slot.live || slot.waiting > 0)) hold.emptied = true;
        const over = hold === undefined || performance.now() >= hold.until || (hold.emptied && slot.live);
        if (over) holds.delete(slot.backend);
        if (slot.on === over) await worker.hold(slot.backend, !over);
      }
    },
    async letGo(worker, desired, checkWords) {
      await worker.serve(
        desired.backends.filter((backend) => holds.has(backend.name)),
        checkWords,
      );
      for (const slot of await worker.holds()) if (slot.on) await worker.hold(slot.backend, false);
    },
    clear: () => holds.clear(),
  };
}
