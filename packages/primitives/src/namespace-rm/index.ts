import { asItIs, noNamespace, wishOf } from "../change/decide/as-it-is.ts";
import { inputParser } from "../change/input.ts";
import { observeWithoutContent } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { changePrimitive } from "../change/primitive.ts";
import type { Volume } from "../model/commit.ts";
import { Input, type NamespaceRmInput } from "./input.ts";

/**
 * Everything of a namespace goes: routes and names first, then what ran. Volumes are kept, retired, until the retention lets them go,
 * and as long as a branch is a clone of them.
 */
export const namespaceRm = changePrimitive<NamespaceRmInput, ChangeFacts>({
  name: "namespace-rm",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace }) => [`deploy.${namespace}`],
  observe: ({ namespace }, ports, signal) => observeWithoutContent([namespace], ports, signal),
  wish({ namespace }, facts) {
    const { head } = facts;
    const gone = {
      ...asItIs(namespace, undefined),
      dropped: (head?.commit.volumes ?? []).map(({ name }) => name),
      removed: true as const,
    };
    if (head === undefined) return wishOf(gone, { refusals: [noNamespace(namespace, facts)] });
    const dependents = facts.others.flatMap(({ commit }) =>
      commit.volumes
        .filter((volume) => isCloneOf(namespace, volume, facts))
        .map(({ name, origin }) => `${commit.namespace}/${name} (of ${origin?.volume})`),
    );
    const secrets = facts.secrets.flatMap(({ record }) =>
      record.namespace === namespace ? [`${namespace}/${record.name}`] : [],
    );
    const runs = facts.machines.flatMap(({ observation }) =>
      (observation?.runs ?? []).flatMap((run) => (run.namespace === namespace ? [run.id] : [])),
    );
    const warnings = [
      ...(runs.length === 0
        ? []
        : [
            `${runs.length === 1 ? "a run of it stays" : `${runs.length} runs of it stay`}: ployzctl run stop ${runs.sort().join("; ployzctl run stop ")}`,
          ]),
      ...(dependents.length === 0
        ? []
        : [`data that these clones share stays until they are removed: ${dependents.join(", ")}`]),
      ...(secrets.length === 0
        ? []
        : [`its secrets stay: ployzctl secret rm ${secrets.sort().join("; ployzctl secret rm ")}`]),
    ];
    return wishOf(gone, { warnings });
  },
});

/** A volume from a file or on another machine is a copy of its own, and needs nothing of its origin. */
function isCloneOf(namespace: string, { machine, origin }: Volume, { machines }: ChangeFacts): boolean {
  if (origin?.namespace !== namespace || origin.guid !== undefined) return false;
  const there = machines.find(({ record }) => record.id === machine);
  if (there?.observation === undefined) return true;
  return there.observation.volumes.some(
    (copy) => copy.namespace === namespace && copy.name === origin.volume,
  );
}
