import Type, { type Static } from "typebox";
import { inputParser, label } from "../change/input.ts";
import { type ChangeFacts, findContent, observeCluster, specsOf } from "../change/observe.ts";
import { changePrimitive } from "../change/primitive.ts";
import { observeSnapshots, type Snapshots } from "../change/snapshots.ts";
import { asItIs, noNamespace, wishOf } from "../change/wish.ts";
import type { Commit } from "../model/commit.ts";
import { findTarget, type History } from "./target.ts";
import { restoredVolumes } from "./volumes.ts";

const Input = Type.Object({
  namespace: label("The namespace that goes back."),
  to: Type.Optional(
    Type.String({
      pattern: "^(?=.{1,26}$)[0-9A-Za-z]+$",
      description:
        "A commit: its revision, or its operation id or the beginning of it. Default: the one before the last.",
    }),
  ),
  volumes: Type.Optional(
    Type.Union([
      Type.Enum(["none", "all"]),
      Type.Array(label("A volume."), { minItems: 1, maxItems: 1000, uniqueItems: true }),
    ]),
  ),
});
export type RollbackInput = Static<typeof Input>;

export type RollbackFacts = ChangeFacts & {
  /** Newest first. */
  readonly history: History;
  readonly snapshots: Snapshots;
};

/** How far back a commit can be named. */
const MAX_HISTORY = 1000;

/**
 * Makes a namespace what an earlier commit says: services, routes, and, when asked, data as it was when that commit was replaced.
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
    const history = entries.map(({ value, revision }) => ({ commit: value as unknown as Commit, revision }));
    const target = findTarget(input, history);
    const copies = target.ok
      ? (target.next?.commit.before ?? []).flatMap((snapshot) => {
          const now = cluster.head?.commit.volumes.find(({ name }) => name === snapshot.volume);
          return [snapshot, ...(now ? [{ id: snapshot.id, machine: now.machine }] : [])];
        })
      : [];
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
    // The same command again: it has just been done.
    if (target.done && Object.values(restored.volumes).every(({ source }) => source.kind === "keep")) {
      const already = `${namespace} was rolled back to commit ${target.head.revision} already; --to names another one`;
      return wishOf(present, { warnings: [already] });
    }
    const { commit, revision } = target.head;
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
      { refusals: restored.refusals, warnings: restored.warnings },
    );
  },
});
