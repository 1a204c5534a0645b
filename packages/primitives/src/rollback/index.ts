import { isDeepStrictEqual } from "node:util";
import { asItIs, noNamespace, wishOf } from "../change/decide/as-it-is.ts";
import { inputParser } from "../change/input.ts";
import { findContent, observeCluster, specsOf } from "../change/observe/cluster.ts";
import { observeSnapshots } from "../change/observe/snapshots.ts";
import { changePrimitive } from "../change/primitive.ts";
import { Input, type RollbackFacts, type RollbackInput } from "./input.ts";
import { findTarget } from "./target.ts";
import { holdersOf, restoredVolumes } from "./volumes.ts";

/** How far back a commit can be named. */
const MAX_HISTORY = 1000;

/**
 * Rolls a namespace back to an earlier commit: services, routes, and, when asked, data as it was when that commit was replaced.
 * A new commit; what it replaces stays restorable in the same way.
 */
export const rollback = changePrimitive<RollbackInput, RollbackFacts>({
  name: "rollback",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace }) => [`deploy.${namespace}`],
  async observe(input, ports, signal) {
    const { namespace } = input;
    const [cluster, entries] = await Promise.all([
      observeCluster([namespace], ports, signal),
      ports.store.commits.history(namespace, MAX_HISTORY),
    ]);
    const history = entries.map(({ value, revision }) => ({ commit: value, revision }));
    const target = findTarget(input, history);
    const before = target.ok ? (target.next?.commit.before ?? []) : [];
    const copies = before.flatMap(({ id }) => holdersOf(id, cluster));
    const [content, snapshots] = await Promise.all([
      findContent(target.ok ? specsOf(target.head.commit) : [], cluster.machines, ports, signal),
      observeSnapshots(copies, ports, signal),
    ]);
    return { ...cluster, content, history, snapshots };
  },
  wish(input, facts) {
    const { namespace } = input;
    const present = asItIs(namespace, facts.head);
    if (facts.head === undefined) return wishOf(present, { refusals: [noNamespace(namespace, facts)] });
    const target = findTarget(input, facts.history);
    if (!target.ok) return wishOf(present, { refusals: [target.refusal] });
    const restored = restoredVolumes(input, target, facts);
    const keepsData = Object.values(restored.volumes).every(({ source }) => source.kind === "keep");
    // The same command again: it has just been done.
    if (target.done && keepsData) {
      const already = `${namespace} was rolled back to commit ${target.head.revision} already; --to names another one`;
      return wishOf(present, { warnings: [already] });
    }
    const { commit, revision } = target.head;
    const same = keepsData && isDeepStrictEqual(specsOf(commit), specsOf(facts.head.commit));
    const warnings = same
      ? [`commit ${revision} has the same services as the last one; --to names another one`]
      : restored.warnings;
    const { removed: _, ...base } = present;
    return wishOf(
      {
        ...base,
        services: commit.services,
        jobs: commit.jobs,
        volumes: restored.volumes,
        lineage: { kind: "rollback", from: namespace, revision },
        ...(commit.branchedFrom !== undefined && { branchedFrom: commit.branchedFrom }),
      },
      { refusals: restored.refusals, warnings },
    );
  },
});
