import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Desired } from "./desired.ts";
import { LONGEST_HOLD_MS } from "./render-backend.ts";
import type { HoldSlot, Worker } from "./worker.ts";

/**
 * The backends that are held, and until when. Kept in a file as well, so that the next process on this folder continues them. A hold that
 * HAProxy has and the file does not ends.
 */
export interface Holds {
  /**
   * By HAProxy's names. A second hold of a backend replaces its first; one of 0 ms ends it as soon as a server is live. `drained`: servers
   * that get no requests meanwhile. The hold also ends when one of them has stopped and is up again.
   */
  begin(backends: readonly Held[], ms: number): Promise<void>;
  /** Ids of the servers that holds have drained. */
  drained(): readonly string[];
  /** Continues the holds of an earlier process. */
  load(): Promise<void>;
  has(backend: string): boolean;
  any(): boolean;
  /**
   * Applies the holds to the worker: begins new ones, and ends those that are over, which releases their waiting requests. `serve` gives a backend
   * its servers, without those that are `drained` now: a worker that a reload brought, and before waiting requests are released.
   */
  tend(worker: Worker, serve: (backend: string) => Promise<unknown>): Promise<void>;
  /** Lets requests wait in a worker, before any server is drained there: it would answer 503 in between. */
  open(worker: Worker): Promise<void>;
  /** Before a reload: requests that wait in this worker go to the servers of the new state, or get a 503. Afterwards the worker accepts no commands. */
  letGo(worker: Worker, desired: Desired, checkWords: string): Promise<void>;
  clear(): void;
}

/** A backend with the ids of the servers that its hold drains. */
export interface Held {
  readonly name: string;
  readonly drained: readonly string[];
}

interface Hold {
  readonly drained: readonly string[];
  /** Slots of drained servers that have been down since. */
  readonly stopped: Set<string>;
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

/** A hold as the file has it. `until`: epoch milliseconds, since another process reads it. */
interface Kept extends Held {
  readonly until: number;
  readonly ending: boolean;
}

export function openHolds(dir: string): Holds {
  const file = join(dir, "holds.json");
  const holds = new Map<string, Hold>();
  /** Only the folder's owner writes it; one that was cut short by a power cut has no holds that still matter. */
  const save = async (): Promise<void> => {
    const now = Date.now() - performance.now();
    const kept = [...holds].flatMap(([name, hold]): readonly Kept[] =>
      hold.over ? [] : [{ name, drained: drainedBy(hold), until: now + hold.until, ending: hold.ending }],
    );
    // On a full disk a hold ends with this process.
    await writeFile(file, JSON.stringify(kept), { mode: 0o600 }).catch(() => {});
  };
  const drainedBy = ({ over, restored, drained }: Hold) => (over || restored ? [] : drained);
  const begin = (backend: string, ms: number, drained: readonly string[] = []): Hold => {
    const present = holds.get(backend);
    if (ms <= 0 && present?.over === false) {
      present.ending = true;
      return present;
    }
    const until = performance.now() + ms;
    const hold: Hold = {
      ...{ drained, stopped: new Set<string>(), until },
      ...{ over: ms <= 0, ending: false, restored: false, emptied: false, worker: 0 },
    };
    holds.set(backend, hold);
    return hold;
  };
  const tendOne = async (
    worker: Worker,
    slot: HoldSlot,
    serve: (backend: string) => Promise<unknown>,
  ): Promise<void> => {
    const hold = holds.get(slot.backend) ?? (slot.on ? begin(slot.backend, 0) : undefined);
    if (hold === undefined) return;
    if (hold.worker !== worker.pid) {
      // A new worker takes every server for live until its checks have failed.
      hold.worker = worker.pid;
      hold.emptied = false;
      if (drainedBy(hold).length > 0) {
        if (!slot.on) await worker.hold(slot.backend, true);
        await serve(slot.backend);
        return;
      }
    }
    // A change that has failed may leave its hold: its daemon is dead, or did not reach this machine.
    for (const { name, up } of slot.aside) {
      if (!up) hold.stopped.add(name);
      else if (hold.stopped.has(name)) hold.ending = true;
    }
    if (hold.ending && !hold.restored) {
      hold.restored = true;
      await serve(slot.backend);
      return; // the next look sees which of them are live
    }
    hold.emptied ||= hold.ending || !slot.live || slot.waiting > 0;
    hold.over ||= performance.now() >= hold.until || (hold.emptied && slot.live);
    if (slot.on && hold.over) await serve(slot.backend);
    if (slot.on === hold.over) await worker.hold(slot.backend, !hold.over);
    else if (hold.over && slot.waiting > 0) {
      // It chose to wait at the moment when the others were sent on; HAProxy sends on only when the place closes.
      await worker.hold(slot.backend, true);
      await worker.hold(slot.backend, false);
    } else if (hold.over) holds.delete(slot.backend);
  };
  return {
    async begin(backends, ms) {
      for (const { name, drained } of backends) begin(name, Math.min(ms, LONGEST_HOLD_MS), drained);
      await save();
    },
    drained: () => [...holds.values()].flatMap(drainedBy),
    async load() {
      const kept = await readFile(file, "utf8")
        .then((text) => JSON.parse(text) as readonly Kept[])
        .catch(() => []);
      for (const { name, drained, until, ending } of kept) {
        const left = Math.min(until - Date.now(), LONGEST_HOLD_MS);
        if (left > 0) begin(name, left, drained).ending = ending;
      }
    },
    has: (backend) => holds.get(backend)?.over === false,
    any: () => holds.size > 0,
    async tend(worker, serve) {
      const lasting = () => [...holds.values()].filter(({ over }) => !over).length;
      const before = lasting();
      const slots = (await worker.look()).holds;
      for (const backend of holds.keys())
        if (!slots.some((slot) => slot.backend === backend)) holds.delete(backend);
      for (const slot of slots) await tendOne(worker, slot, serve);
      if (lasting() !== before) await save();
    },
    async open(worker) {
      for (const slot of (await worker.look()).holds)
        if (!slot.on && holds.get(slot.backend)?.over === false) await worker.hold(slot.backend, true);
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
