import { unknownRepository } from "../backups/observe.ts";
import { inputParser } from "../change/input.ts";
import type { Primitive, PrimitivePorts } from "../engine/types.ts";
import { type BackupRepository, repositoryKey } from "../model/backup.ts";
import type { Json } from "../model/json.ts";
import { type BackupRepositoryRmInput, Input } from "./input.ts";

type Facts = {
  readonly present?: BackupRepository;
  readonly revision: number;
  readonly known: readonly string[];
  /** Volumes whose backups go there by a schedule. */
  readonly users: readonly string[];
};

/** Forgets a repository. The backups in it stay: adding it again finds them. */
export const backupRepositoryRm: Primitive<
  PrimitivePorts,
  BackupRepositoryRmInput,
  Facts,
  Record<never, never>,
  Json
> = {
  name: "backup-repository-rm",
  version: 1,
  parse: inputParser(Input),
  scope: ({ name }) => [`backup-repository.${name}`],
  async observe({ name }, { store }) {
    const [facts, heads, schedules] = await Promise.all([
      store.facts.list("backup-repository"),
      store.commits.heads(),
      store.facts.list("cluster-schedule"),
    ]);
    const ofStore = schedules.some(({ value }) => value.removed !== true && value.repository === name);
    const own = facts.find(({ key }) => key === repositoryKey(name));
    return {
      ...(own !== undefined && { present: own.value }),
      revision: own?.revision ?? 0,
      users: [
        ...heads
          .flatMap(({ value: { namespace, volumes, removed } }) =>
            removed
              ? []
              : volumes.flatMap((volume) =>
                  volume.spec.backup?.repository === name ? [`${namespace}/${volume.name}`] : [],
                ),
          )
          .sort(),
        ...(ofStore ? ["the store"] : []),
      ],
      known: facts.flatMap(({ value }) => (value.removed === true ? [] : [value.name])),
    };
  },
  plan({ name }, { present, known, users }) {
    if (present === undefined) return { refusals: [unknownRepository(name, known)] };
    const { url } = present;
    return {
      ...{ basis: [], prepare: [], settle: [] },
      warnings:
        users.length > 0 && present.removed !== true
          ? [`scheduled backups of ${users.join(", ")} go to ${name}, and fail without it`]
          : [],
      summary: { kind: "backup-repository-rm", repository: name, url },
      changes: present.removed !== true,
    };
  },
  steps: {},
  commit({ name }, { present, revision }, _plan, { operation, at, by }) {
    if (present === undefined) throw new Error("a plan without a repository");
    return {
      kind: "fact",
      key: repositoryKey(name),
      value: { ...present, operation, at, by, removed: true },
      expected: revision,
    };
  },
  result: (_input, { summary }) => summary,
};
