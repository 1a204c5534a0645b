import { errorBody } from "@ployz/errors";
import type { LogEvent } from "@ployz/primitives/client";
import type { LogSources } from "../daemon/log-sources.ts";

/** An instance whose log is read, from its machine's runtime, or once it has ended from what the machine keeps. */
export interface Source {
  readonly id: string;
  readonly machine: string;
  readonly namespace: string;
  readonly service: string;
  readonly ended: boolean;
}

/**
 * Instances that have ended, on all machines. `all`: all that ended since; else the last one of each slot, and of the runs none where a
 * slot has one.
 */
export async function endedSources(
  sources: LogSources,
  {
    namespace,
    service,
    sinceMs = 0,
    all,
  }: {
    readonly namespace: string;
    readonly service: string | undefined;
    readonly sinceMs: number | undefined;
    readonly all: boolean;
  },
  signal: AbortSignal,
): Promise<{ readonly found: readonly Source[]; readonly gaps: readonly LogEvent[] }> {
  const gaps: LogEvent[] = [];
  const lists = await Promise.all(
    sources.machines().map(async (machine) => {
      const found = [];
      try {
        const of = { namespace, ...(service !== undefined && { service }) };
        for await (const one of sources.ended(machine, of, signal)) found.push({ ...one, machine });
      } catch (error) {
        if (!signal.aborted) gaps.push({ type: "gap", machine, error: errorBody(error) });
      }
      return found;
    }),
  );
  const newestFirst = lists.flat().sort((a, b) => b.endedMs - a.endedMs);
  const seen = new Set<string>();
  const found = newestFirst.filter(({ instance, endedMs }) => {
    if (all) return endedMs >= sinceMs;
    const [, of, slot] = instance.split(".");
    if (slot === "run" || slot === "once") return false;
    const key = `${of}.${slot}`;
    return !seen.has(key) && seen.add(key);
  });
  return {
    found: found.map(({ instance, machine, service: of }) => ({
      ...{ id: instance, machine, namespace, service: of, ended: true },
    })),
    gaps,
  };
}
