import type { Attached, InstanceSpec, Runtime } from "@ployz/runtime";
import { PloyzError } from "../error-codes.ts";
import { endedBy, withPause } from "./interactive.ts";

/** How long an instance waits for its program. */
const WAIT_MS = 60_000;

/** Interactive instances of operations: each waits for one program of a stream, and ends with it. */
export interface Sessions {
  waiting(spec: InstanceSpec): Promise<InstanceSpec>;
  /** It runs, and is ended if no program comes. */
  opened(id: string): void;
  /** @throws PloyzError `no_such_instance`: none of that id waits. */
  attach(id: string, open: () => Promise<Attached>): Promise<Attached>;
  /** After a restart of the daemon, with which their programs ended. */
  tidy(): Promise<void>;
}

/** Of the instances of sessions, so that the next daemon knows them. */
export const SESSION = { session: "true" } as const;

export function openSessions({
  runtime,
  pause,
  waitMs = WAIT_MS,
  log,
}: {
  readonly runtime: Pick<Runtime, "facts" | "list" | "stop">;
  /** Where the program is that waits. */
  readonly pause: string;
  readonly waitMs?: number;
  log(error: unknown): void;
}): Sessions {
  /** `undefined`: its program has come. */
  const timers = new Map<string, NodeJS.Timeout | undefined>();
  const end = async (id: string) => {
    timers.delete(id);
    await runtime.stop(id, { graceMs: 0 }).catch(log);
  };
  return {
    waiting: (spec) => withPause(spec, runtime, pause),
    opened(id) {
      if (timers.has(id)) return; // the start was repeated
      timers.set(id, setTimeout(() => void end(id), waitMs).unref());
    },
    async attach(id, open) {
      const timer = timers.get(id);
      if (timer === undefined)
        throw new PloyzError({
          code: "no_such_instance",
          message: `${id} does not wait for a program on this machine`,
          hint: "run the command again",
        });
      clearTimeout(timer);
      timers.set(id, undefined);
      return endedBy(open, () => end(id));
    },
    async tidy() {
      for (const { id, state } of await runtime.list(SESSION)) if (state === "running") await end(id);
    },
  };
}
