import { findContent, observeCluster } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import type { PrimitivePorts } from "../engine/types.ts";
import type { Commit, JobSpec, ServiceSpec } from "../model/commit.ts";
import type { Json } from "../model/json.ts";

/** The namespace and the cluster, for a run beside its commit. */
export type RunFacts = ChangeFacts & {
  /** Revision of the fact about the last run. */
  readonly last: number;
};

/** The fact about the last run of one kind. */
export type RunKey = `job-run.${string}.${string}` | `volume-run.${string}.${string}`;

/** `specOf`: what runs; absent when the commit has no such. */
export async function observeRun(
  { namespace, key }: { readonly namespace: string; readonly key: RunKey },
  specOf: (commit: Commit | undefined) => JobSpec | ServiceSpec | undefined,
  ports: PrimitivePorts,
  signal: AbortSignal,
): Promise<RunFacts> {
  const cluster = await observeCluster([namespace], ports, signal);
  const spec = specOf(cluster.head?.commit);
  const [content, last] = await Promise.all([
    findContent(spec === undefined ? [] : [spec], cluster.machines, ports, signal),
    ports.store.facts.get(key),
  ]);
  return { ...cluster, content, last: last?.revision ?? 0 };
}

/** What both kinds of runs record of one that succeeded. */
export const ranOn = (
  { operation, at, by }: { readonly operation: string; readonly at: string; readonly by: string },
  summary: { readonly [field: string]: Json },
) => ({ operation, at, by, machine: typeof summary.machine === "string" ? summary.machine : "" });
