import { type FoundBackup, findBackup, hostsOf, noBackup, problemOf } from "../backups/find.ts";
import { chooseRepository, type Look, look, repositoriesOf, repositoryAt } from "../backups/observe.ts";
import { asItIs, liveHead, wishOf } from "../change/decide/as-it-is.ts";
import type { BackupSource } from "../change/decide/desired.ts";
import { unknownMachine } from "../change/decide/refuse.ts";
import { inputParser, volumeSpecOf } from "../change/input.ts";
import { observeWithoutContent } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { changePrimitive } from "../change/primitive.ts";
import type { Refusal } from "../engine/types.ts";
import type { RepositoryAt } from "../model/backup.ts";
import { type BackupRestoreInput, Input } from "./input.ts";

type Facts = ChangeFacts & {
  readonly place: { readonly repository: RepositoryAt } | { readonly refusal: Refusal };
  readonly read?: FoundBackup;
  /** Where the new volume will be, and whether it reaches the repository. */
  readonly to?: Look;
};

/** A volume out of a backup, under a name that nothing has. */
export const backupRestore = changePrimitive<BackupRestoreInput, Facts>({
  name: "backup-restore",
  version: 1,
  parse: inputParser(Input),
  scope: ({ target }) => [`deploy.${target.namespace}`],
  async observe({ target, repository, backup, machine }, ports, signal) {
    const [cluster, repositories] = await Promise.all([
      observeWithoutContent([target.namespace], ports, signal),
      repositoriesOf(ports),
    ]);
    const choice = chooseRepository(repository, repositories);
    if ("refusal" in choice) return { ...cluster, place: choice };
    const place = { repository: repositoryAt(choice.repository) };
    const wanted = { ...place, id: backup, ...(machine !== undefined && { only: machine }) };
    const read = await findBackup(wanted, cluster.machines, ports, signal);
    if ("refusal" in read) return { ...cluster, place, read };
    const before = read.found.backup.machine;
    const to = machine ?? (hostsOf(cluster.machines).includes(before) ? before : read.machine);
    return { ...cluster, place, read, to: await look(to, place.repository, ports, signal) };
  },
  wish({ target, machine, ...source }, facts) {
    const head = liveHead(facts.head);
    const present = asItIs(target.namespace, head);
    const refuse = (...refusals: readonly Refusal[]) => wishOf(present, { refusals });
    const { place, read, to } = facts;
    if ("refusal" in place) return refuse(place.refusal);
    const unknown = machine === undefined ? undefined : unknownMachine("machine", machine, facts);
    if (unknown !== undefined) return refuse(unknown);
    if (read === undefined || to === undefined)
      return refuse(
        read !== undefined && "refusal" in read ? read.refusal : noBackup(source.backup, place.repository),
      );
    if ("refusal" in read) return refuse(read.refusal);
    const { backup, content } = read.found;
    if (backup.namespace !== source.namespace || backup.volume !== source.volume)
      return refuse({
        code: "no_such_backup",
        message: `the backup ${source.backup} is of ${backup.namespace}/${backup.volume}, not of ${source.namespace}/${source.volume}`,
        hint: `list them: ployzctl backup ls ${source.namespace}`,
      });
    const there = head?.commit.volumes.find(({ name }) => name === target.volume);
    if (there !== undefined) {
      if (there.origin?.guid === content.guid && (machine ?? there.machine) === there.machine)
        return wishOf(present);
      return refuse({
        code: "volume_exists",
        message: `${target.namespace}/${target.volume} is there already, on ${there.machine}`,
        hint: "a restore overwrites nothing: choose another name with --as",
      });
    }
    const problem = problemOf(to, place.repository);
    if (problem !== undefined) return refuse(problem);
    const from: BackupSource = {
      ...{
        repository: place.repository,
        backup: backup.id,
        namespace: backup.namespace,
        volume: backup.volume,
      },
      ...{ snapshot: backup.snapshot, guid: content.guid, bytes: content.bytes },
    };
    return wishOf({
      ...present,
      volumes: {
        [target.volume]: {
          spec: volumeSpecOf(content.spec),
          source: { kind: "backup", machine: to.machine, backup: from },
        },
      },
    });
  },
});
