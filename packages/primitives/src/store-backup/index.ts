import { expiredWithNew, forgetStep } from "../backup-prune/index.ts";
import { problemOf } from "../backups/find.ts";
import { type FoundBackups, listBackups } from "../backups/list.ts";
import { chooseRepository, type Look, look, repositoriesOf, repositoryAt } from "../backups/observe.ts";
import { inputParser } from "../change/input.ts";
import { observeMembers } from "../change/observe/cluster.ts";
import { steps } from "../change/steps/instances.ts";
import type { ChangeKinds } from "../change/steps/kinds.ts";
import type { Primitive, PrimitivePorts, Refusal } from "../engine/types.ts";
import { checkKeep } from "../manifest/schedule.ts";
import type { BackupRepository } from "../model/backup.ts";
import { CLUSTER_BACKUPS, STORE_BACKUP } from "../model/cluster-names.ts";
import type { Json } from "../model/json.ts";
import { Input, type StoreBackupInput } from "./input.ts";

type Facts = {
  readonly repositories: readonly BackupRepository[];
  /** Of the machines of the store, up to the first that reaches the repository. */
  readonly looks: readonly Look[];
  /** Those that are there, where a rule deletes some. */
  readonly present?: FoundBackups;
  /** Revision of the fact about the last one. */
  readonly revision: number;
};
type Kinds = Pick<ChangeKinds, "backup.store" | "backup.forget">;

const KEY = "store-backup.cluster";
const STEP = "backup";
const shape = inputParser(Input);

/** Copies the store to a repository outside the cluster, from one of its machines. */
export const storeBackup: Primitive<PrimitivePorts, StoreBackupInput, Facts, Kinds, Json> = {
  name: "store-backup",
  version: 1,
  parse(raw) {
    const parsed = shape(raw);
    if (!parsed.ok) return parsed;
    const refusals = checkKeep(["keep"], parsed.input.keep, "leave it out to keep all");
    return refusals.length === 0 ? parsed : { ok: false, refusals };
  },
  scope: () => ["store-backup"],
  async observe({ repository: named, keep }, ports, signal) {
    const [repositories, members, fact] = await Promise.all([
      repositoriesOf(ports),
      observeMembers([], ports, signal),
      ports.store.facts.get(KEY),
    ]);
    const place = chooseRepository(named, repositories);
    const repository = "repository" in place ? repositoryAt(place.repository) : undefined;
    const looks: Look[] = [];
    for (const { record, observation } of members) {
      if (repository === undefined || !record.store || observation === undefined) continue;
      const found = await look(record.id, repository, ports, signal);
      looks.push(found);
      if (problemOf(found, repository) === undefined) break;
    }
    const present =
      repository !== undefined && keep !== undefined
        ? await listBackups({ repository, namespace: CLUSTER_BACKUPS }, ports, signal)
        : undefined;
    return { repositories, looks, revision: fact?.revision ?? 0, ...(present && { present }) };
  },
  plan({ repository: named, keep }, { repositories, looks, present }, operation) {
    const place = chooseRepository(named, repositories);
    if ("refusal" in place) return { refusals: [place.refusal] };
    const repository = repositoryAt(place.repository);
    const last = looks.at(-1);
    if (last === undefined) return { refusals: [NOBODY] };
    // The last one has no problem, or all have one.
    if (problemOf(last, repository) !== undefined)
      return { refusals: looks.slice(0, 1).flatMap((one) => problemOf(one, repository) ?? []) };
    const { machine } = last;
    const found = present !== undefined && "backups" in present ? present : undefined;
    const gone = found === undefined ? [] : expiredWithNew(operation, found.backups, keep);
    return {
      basis: [],
      prepare: [
        {
          ...{ id: STEP, kind: "backup.store", machine, needs: [] },
          args: { machine, repository },
          title: `back up the store from ${machine} to ${repository.name}`,
        },
      ],
      settle:
        found === undefined || gone.length === 0
          ? []
          : [forgetStep({ machine: found.machine, namespace: STORE_BACKUP, repository, gone })],
      summary: { kind: "store-backup", repository: repository.name, machine, removed: gone.length },
      changes: true,
      warnings:
        present !== undefined && "refusal" in present
          ? [`older backups stay: ${present.refusal.message}`]
          : [],
    };
  },
  steps: { "backup.store": steps["backup.store"], "backup.forget": steps["backup.forget"] },
  commit(_input, { revision }, { prepare }, { operation, at, by, output }) {
    const [step] = prepare;
    if (step?.kind !== "backup.store") throw new Error("a plan without a backup");
    const { repository, machine } = step.args;
    return {
      kind: "fact",
      key: KEY,
      value: {
        ...{ operation, at, by, repository: repository.name, machine },
        ...output(step.id, "backup.store"),
      },
      expected: revision,
    };
  },
  result: (_input, { summary }, { output }) => ({
    ...(summary as { [field: string]: Json }),
    ...output(STEP, "backup.store"),
  }),
};

const NOBODY: Refusal = {
  code: "machine_unreachable",
  message: "no machine of the store answers",
  hint: "ployzctl machine ls shows which machines answer",
};
