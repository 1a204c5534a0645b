import type { Readable } from "node:stream";
import { CLUSTER_BACKUPS, type Commands, isOwnBackup, STORE_BACKUP } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import { whenFree } from "./forget.ts";
import type { Restic } from "./restic.ts";
import { listed, messageOf, type Progress } from "./snapshots.ts";
import { tagsOf } from "./tags.ts";

/** Its only file. */
const FILE = "store.ployz";

type Named = { readonly name: string; readonly id: string };

export interface StoreBackupDeps {
  readonly self: string;
  readonly cluster: Named;
  /** Copies the store of this machine; verified. @throws PloyzError `not_a_store_machine`. */
  make(passphrase: string): Promise<{ readonly bytes: number; stream(): Readable }>;
}

/** Copies the store to a repository. The repository's password encrypts the copy too, so that its secrets can be restored in another cluster. */
export async function takeStore(
  { self, cluster, make }: StoreBackupDeps,
  restic: Restic,
  { repository, operation }: Commands["backup.store"]["args"],
  { signal, progress }: { readonly signal: AbortSignal; progress(value: Progress): void },
): Promise<Commands["backup.store"]["out"]> {
  const mine = async () =>
    (await listed(restic, repository.name, [`operation=${operation}`], signal)).at(-1)?.id;
  const before = await mine();
  if (before !== undefined) return { backup: before, bytes: 0, addedBytes: 0 };
  const of = { namespace: CLUSTER_BACKUPS, volume: STORE_BACKUP, commit: 0, snapshot: "" };
  const tags = tagsOf({ cluster: cluster.name, clusterId: cluster.id, ...of, machine: self, operation });
  let bytes = 0;
  let addedBytes = 0;
  await whenFree(restic, { signal, waiting: () => progress({ waiting: true }) }, async () => {
    const copy = await make(restic.password);
    bytes = copy.bytes;
    await restic.follow(
      ["backup", "--json", "--host", cluster.name, "--tag", tags, "--stdin", "--stdin-filename", FILE],
      {
        ...{ signal, input: copy.stream() },
        line(text) {
          const { message_type: type, data_added: added = 0, bytes_done: done } = messageOf(text) ?? {};
          if (type === "summary") addedBytes = added;
          else if (done !== undefined) progress({ done, total: bytes });
        },
      },
    );
  });
  const backup = await mine();
  if (backup !== undefined) return { backup, bytes, addedBytes };
  throw new PloyzError({
    code: "backup_failed",
    message: `the repository ${repository.name} does not list the backup`,
  });
}

/** Reads a copy of the store from a repository: the one whose id begins so, or the newest of this cluster. */
export async function readStore(
  restic: Restic,
  { repository, id, cluster }: { repository: string; id: string | undefined; cluster: Named },
  { signal, to }: { readonly signal: AbortSignal; to(copy: Readable): Promise<unknown> },
): Promise<void> {
  const tags = [`namespace=${CLUSTER_BACKUPS}`, `volume=${STORE_BACKUP}`];
  const all = await listed(restic, repository, tags, signal);
  const found =
    id === undefined
      ? all.findLast((one) => isOwnBackup(one, cluster))
      : all.find((one) => one.id.startsWith(id));
  if (found === undefined)
    throw new PloyzError({
      code: "no_such_backup",
      message: `the repository ${repository} has no backup ${id === undefined ? `of the store of ${cluster.name}` : `${id} of a store`}`,
      hint: `list them: ployzctl backup ls --repository ${repository}`,
    });
  await restic.follow(["dump", "--no-lock", found.id, `/${FILE}`], { signal, read: to });
}
