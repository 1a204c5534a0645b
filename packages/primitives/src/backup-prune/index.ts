import { type FoundBackups, listBackups } from "../backups/list.ts";
import { chooseRepository, repositoriesOf, repositoryAt } from "../backups/observe.ts";
import { inputParser } from "../change/input.ts";
import { steps } from "../change/steps/instances.ts";
import type { ChangeKinds } from "../change/steps/kinds.ts";
import type { Primitive, PrimitivePorts, Refusal } from "../engine/types.ts";
import { checkKeep } from "../manifest/schedule.ts";
import { type Backup, backupPruneKey, type RepositoryAt } from "../model/backup.ts";
import { ulidTime } from "../model/ids.ts";
import type { Json } from "../model/json.ts";
import type { KeepRule } from "../model/schedule.ts";
import { expiredOf } from "../schedule/keep.ts";
import { type BackupPruneInput, Input } from "./input.ts";

type Found = Exclude<FoundBackups, { readonly refusal: Refusal }>;
type Facts = {
  readonly found: { readonly refusal: Refusal } | (Found & { readonly repository: RepositoryAt });
  /** Revision of the fact about the last time. */
  readonly last: number;
};
type Kinds = Pick<ChangeKinds, "backup.forget">;

/** A plan is one message: the rest goes with the next run. */
const MOST = 1000;

const shape = inputParser(Input);

/** Deletes the backups of a namespace in a repository that a rule does not keep. The newest of each volume always stays. */
export const backupPrune: Primitive<PrimitivePorts, BackupPruneInput, Facts, Kinds, Json> = {
  name: "backup-prune",
  version: 1,
  parse(raw) {
    const parsed = shape(raw);
    if (!parsed.ok) return parsed;
    const refusals = checkKeep(["keep"], parsed.input.keep, "for example --keep-daily 14");
    return refusals.length === 0 ? parsed : { ok: false, refusals };
  },
  scope: ({ namespace }) => [`backup.${namespace}`],
  async observe({ namespace, repository }, ports, signal) {
    const [repositories, fact] = await Promise.all([
      repositoriesOf(ports),
      ports.store.facts.get(backupPruneKey(namespace)),
    ]);
    const last = fact?.revision ?? 0;
    const choice = chooseRepository(repository, repositories);
    if ("refusal" in choice) return { found: choice, last };
    const place = { repository: repositoryAt(choice.repository) };
    return { found: { ...place, ...(await listBackups({ ...place, namespace }, ports, signal)) }, last };
  },
  plan({ namespace, volume, keep }, { found }) {
    if ("refusal" in found) return { refusals: [found.refusal] };
    const { machine, repository } = found;
    const all = found.backups.filter((one) => volume === undefined || one.volume === volume);
    if (all.length === 0) return { refusals: [none(namespace, volume, repository)] };
    const expired = expiredBackups(all, keep);
    const gone = expired.slice(0, MOST);
    const changes = gone.length > 0;
    return {
      basis: [],
      prepare: [],
      settle: changes ? [forgetStep({ machine, namespace, repository, gone })] : [],
      summary: {
        ...{ kind: "backup-prune", namespace, repository: repository.name },
        ...{ removed: gone.map(({ id, volume: name, at }) => ({ id, volume: name, at })) },
        kept: all.length - gone.length,
      },
      changes,
      warnings:
        expired.length > gone.length
          ? [`${expired.length - gone.length} more have expired: run the same command again`]
          : [],
    };
  },
  steps: { "backup.forget": steps["backup.forget"] },
  commit: ({ namespace }, { last }, _plan, { operation, at, by }) => ({
    kind: "fact",
    key: backupPruneKey(namespace),
    value: { operation, at, by },
    expected: last,
  }),
  result: (_input, { summary }) => summary,
};

/** Of each volume by itself, oldest first. Pure. */
export function expiredBackups(all: readonly Backup[], keep: KeepRule): readonly Backup[] {
  const volumes = [...new Set(all.map(({ volume }) => volume))];
  const expired = new Set(
    volumes.flatMap((volume) =>
      expiredOf(
        all.flatMap((one) => (one.volume === volume ? [{ name: one.id, at: Date.parse(one.at) }] : [])),
        keep,
      ),
    ),
  );
  return all.filter(({ id }) => expired.has(id));
}

/** Those of one volume that a rule does not keep once a new one is there: the newest, whatever the clocks of the machines that made the others. Pure. */
export function expiredWithNew(
  operation: string,
  own: readonly Backup[],
  keep: KeepRule | undefined,
): readonly Backup[] {
  const [like] = own;
  if (keep === undefined || like === undefined) return [];
  const newest = own.reduce((latest, one) => Math.max(latest, Date.parse(one.at)), ulidTime(operation));
  const all = [...own, { ...like, id: "new", at: new Date(newest).toISOString() }];
  return expiredBackups(all, keep).filter(({ id }) => id !== "new");
}

export const forgetStep = ({
  machine,
  namespace,
  repository,
  gone,
}: {
  readonly machine: string;
  readonly namespace: string;
  readonly repository: RepositoryAt;
  readonly gone: readonly Backup[];
}) => ({
  ...({ id: "forget", kind: "backup.forget", machine, needs: [] } as const),
  args: { machine, repository, backups: gone.map(({ id }) => id) },
  title: `delete ${gone.length} backup${gone.length === 1 ? "" : "s"} of ${namespace} from ${repository.name}, by ${machine}`,
});

const none = (namespace: string, volume: string | undefined, { name }: RepositoryAt): Refusal => ({
  code: "no_such_backup",
  message: `the repository ${name} has no backup of ${volume === undefined ? namespace : `${namespace}/${volume}`} by this cluster`,
  hint: `list them: ployzctl backup ls --repository ${name}`,
});
