import { expiredWithNew, forgetStep } from "../backup-prune/index.ts";
import type { FoundBackups } from "../backups/list.ts";
import { liveHead } from "../change/decide/as-it-is.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import type { ChangeKinds } from "../change/steps/kinds.ts";
import { hashJson } from "../engine/canonical.ts";
import type { PlannedStep } from "../engine/types.ts";
import type { BackupRuns, RepositoryAt } from "../model/backup.ts";
import type { Volume } from "../model/commit.ts";
import type { BackupRunInput } from "./input.ts";

/** The volumes that are backed up: by a schedule, with those that have the same one, so that they are of one instant. Pure. */
export function chosen({ volume, scheduled }: BackupRunInput, head: ChangeFacts["head"]): readonly Volume[] {
  const all = liveHead(head)?.commit.volumes ?? [];
  if (volume === undefined) return all;
  const own = all.filter(({ name }) => name === volume);
  const policy = own[0]?.spec.backup;
  if (scheduled !== true || policy === undefined) return own;
  const same = ({ repository, schedule }: typeof policy) => hashJson({ repository, schedule });
  return all.filter(({ spec: { backup } }) => backup !== undefined && same(backup) === same(policy));
}

/** Whether the run of another volume with the same schedule has done it. */
export const isDone = ({ volume, tick }: BackupRunInput, last: BackupRuns | undefined): boolean =>
  tick !== undefined && volume !== undefined && (last?.volumes[volume]?.tick ?? "") >= tick;

/** Deletes the backups that the rules of the volumes do not keep, once the new ones are there. Pure. */
export function expiredAfter(
  operation: string,
  volumes: readonly Volume[],
  found: FoundBackups | undefined,
  { namespace, repository }: { readonly namespace: string; readonly repository: RepositoryAt },
): {
  readonly steps: readonly PlannedStep<Pick<ChangeKinds, "backup.forget">>[];
  readonly warnings: readonly string[];
} {
  if (found === undefined) return { steps: [], warnings: [] };
  if ("refusal" in found) return { steps: [], warnings: [`older backups stay: ${found.refusal.message}`] };
  const gone = volumes.flatMap(({ name, spec: { backup } }) =>
    expiredWithNew(
      operation,
      found.backups.filter(({ volume }) => volume === name),
      backup?.keep,
    ),
  );
  const { machine } = found;
  return {
    steps: gone.length === 0 ? [] : [forgetStep({ machine, namespace, repository, gone })],
    warnings: [],
  };
}
