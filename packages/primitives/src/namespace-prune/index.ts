import { verifyScope } from "../backups/observe.ts";
import { noNamespace } from "../change/decide/as-it-is.ts";
import { inputParser } from "../change/input.ts";
import { observeCluster } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { steps } from "../change/steps/instances.ts";
import type { ChangeKinds } from "../change/steps/kinds.ts";
import type { PlannedStep, Primitive, PrimitivePorts } from "../engine/types.ts";
import type { Json } from "../model/json.ts";
import { Input, type NamespacePruneInput } from "./input.ts";
import { straysOf } from "./strays.ts";

type Facts = Omit<ChangeFacts, "content"> & {
  /** Revision of the fact about the last time. */
  readonly last: number;
};
type Kinds = Pick<ChangeKinds, "remove" | "volume.retire">;

const keyOf = (namespace: string) => `namespace-prune.${namespace}` as const;

/**
 * Removes the strays of a namespace: instances that no commit names, such as those of operations that a restored store does not know.
 * Volumes that no commit names are retired, so that the retention keeps their data.
 */
export const namespacePrune: Primitive<PrimitivePorts, NamespacePruneInput, Facts, Kinds, Json> = {
  name: "namespace-prune",
  version: 1,
  parse: inputParser(Input),
  // A volume of a backup's verification is in no commit.
  scope: ({ namespace }) => [`deploy.${namespace}`, verifyScope(namespace)],
  async observe({ namespace }, ports, signal) {
    const [cluster, fact] = await Promise.all([
      observeCluster([namespace], ports, signal),
      ports.store.facts.get(keyOf(namespace)),
    ]);
    return { ...cluster, last: fact?.revision ?? 0 };
  },
  plan({ namespace }, facts) {
    const { instances, volumes } = straysOf(namespace, facts);
    const changes = instances.length + volumes.length > 0;
    const away = facts.machines.filter(({ observation }) => observation === undefined);
    if (!changes && facts.head === undefined && away.length === 0)
      return { refusals: [noNamespace(namespace, { ...facts, content: new Map() })] };
    const remove = instances.map(
      ({ id, machine }): PlannedStep<Kinds> => ({
        id: `remove ${id}@${machine}`,
        kind: "remove",
        args: { machine, id },
        machine,
        title: `remove stray ${id}`,
        needs: [],
      }),
    );
    const retire = volumes.map(
      ({ id, name, machine }): PlannedStep<Kinds> => ({
        id: `retire volume ${id}@${machine}`,
        kind: "volume.retire",
        args: { machine, id },
        machine,
        title: `retire stray volume ${name} (${id})`,
        needs: remove.filter((step) => step.machine === machine).map((step) => step.id),
      }),
    );
    return {
      basis: facts.head ? [{ key: `commit.${namespace}`, revision: facts.head.revision }] : [],
      prepare: [],
      settle: [...remove, ...retire],
      summary: {
        kind: "namespace-prune",
        namespace,
        instances: instances.map(({ id, machine, operation }) => ({ id, machine, operation })),
        volumes: volumes.map(({ id, name, machine, usedBytes }) => ({ id, name, machine, usedBytes })),
      },
      changes,
      warnings: away.map(({ record: { id } }) => `machine ${id} does not answer: strays there are not known`),
    };
  },
  steps: { remove: steps.remove, "volume.retire": steps["volume.retire"] },
  commit: ({ namespace }, { last }, _plan, { operation, at, by }) => ({
    kind: "fact",
    key: keyOf(namespace),
    value: { operation, at, by },
    expected: last,
  }),
  result: (_input, { summary }, { revision }) => ({ ...summary, revision }),
};
