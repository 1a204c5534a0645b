import { noNamespace } from "../change/decide/as-it-is.ts";
import { inputParser } from "../change/input.ts";
import { observeCluster } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { steps } from "../change/steps/instances.ts";
import type { ChangeKinds } from "../change/steps/kinds.ts";
import type { Primitive, PrimitivePorts } from "../engine/types.ts";
import type { Json } from "../model/json.ts";
import type { Commands } from "../participant/commands.ts";
import { LOOK } from "../ports/machines.ts";
import { Input, type VolumePruneInput } from "./input.ts";

type Facts = Omit<ChangeFacts, "content"> & {
  /** The snapshots and copies that each machine would delete. */
  readonly expired: readonly (Commands["volume.expired"]["out"] & { readonly machine: string })[];
  /** Revision of the fact about the last time. */
  readonly last: number;
};
type Kinds = Pick<ChangeKinds, "volume.prune">;

const keyOf = (namespace: string) => `volume-prune.${namespace}` as const;

/**
 * Deletes everything beyond the retention of its machine: snapshots of operations, and copies of volumes that were replaced, moved or
 * removed. The end of every change of a namespace does the same. What a clone depends on stays, and is named.
 */
export const volumePrune: Primitive<PrimitivePorts, VolumePruneInput, Facts, Kinds, Json> = {
  name: "volume-prune",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace }) => [`deploy.${namespace}`],
  async observe({ namespace }, ports, signal) {
    const cluster = await observeCluster([namespace], ports, signal);
    const holders = cluster.machines.filter(({ observation }) => (observation?.volumes.length ?? 0) > 0);
    const [expired, fact] = await Promise.all([
      Promise.all(
        holders.map(async ({ record: { id: machine } }) => ({
          machine,
          ...(await ports.machines.call(machine, "volume.expired", { namespace }, { ...LOOK, signal })),
        })),
      ),
      ports.store.facts.get(keyOf(namespace)),
    ]);
    return { ...cluster, expired, last: fact?.revision ?? 0 };
  },
  plan({ namespace }, facts) {
    if (facts.head === undefined)
      return { refusals: [noNamespace(namespace, { ...facts, content: new Map() })] };
    const having = facts.expired.filter(({ names }) => names.length > 0);
    const blocked = facts.expired.flatMap(({ blocked: kept }) => kept);
    return {
      basis: [{ key: `commit.${namespace}`, revision: facts.head.revision }],
      prepare: [],
      settle: having.map(({ machine, names }) => ({
        id: `prune@${machine}`,
        kind: "volume.prune",
        args: { machine, namespace },
        machine,
        title: `delete ${names.length} expired snapshots and copies on ${machine}`,
        needs: [],
      })),
      summary: {
        kind: "volume-prune",
        namespace,
        machines: facts.expired.map(({ machine, names, freedBytes }) => ({ machine, names, freedBytes })),
        blocked,
      },
      changes: having.length > 0,
      warnings: blocked.map(
        ({ name, dependents }) => `${name} stays: ${dependents.join(", ")} depends on it`,
      ),
    };
  },
  steps: { "volume.prune": steps["volume.prune"] },
  commit: ({ namespace }, { last }, _plan, { operation, at, by }) => ({
    kind: "fact",
    key: keyOf(namespace),
    value: { operation, at, by },
    expected: last,
  }),
  result: (_input, { summary }) => summary,
};
