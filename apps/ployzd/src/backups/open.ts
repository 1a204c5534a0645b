import { rm } from "node:fs/promises";
import type { Readable } from "node:stream";
import type { RepositoryAt } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import type { SecretKeeper } from "../secrets/keeper.ts";
import type { Paths } from "../state/paths.ts";
import { openLeftovers } from "../streams/leftovers.ts";
import { tidyClones } from "./clone.ts";
import { type BackupDeps, type BackupHandlers, backupHandlers } from "./handlers.ts";
import { resticVersion, withRestic } from "./restic.ts";
import { readStore, type StoreBackupDeps } from "./store.ts";

/** Receives a copy of a store; resolves with its id here. */
interface StoreUploads {
  take(copy: Readable): Promise<string>;
}

/** Backups of this machine's volumes, and of its store, to repositories outside the cluster. */
export interface Backups {
  handlers(secrets: Pick<SecretKeeper, "read">, store: Pick<StoreBackupDeps, "make">): BackupHandlers;
  /** Reads a copy of a store from a repository into an upload of this machine; resolves with its id, and the passphrase that opens it. */
  fetchStore(
    from: { readonly repository: RepositoryAt; readonly id: string | undefined },
    deps: { readonly secrets: Pick<SecretKeeper, "read">; readonly store: StoreUploads },
    signal: AbortSignal,
  ): Promise<{ readonly id: string; readonly passphrase: string }>;
  /** Ends what a killed daemon has left: programs, and the clones that they read. Before the first call. */
  tidy(): Promise<void>;
}

export function openBackups({
  self,
  payload,
  paths,
  ...deps
}: Pick<BackupDeps, "cluster" | "store" | "storage" | "runtime"> & {
  readonly self: { readonly id: string };
  readonly payload: { readonly version: string };
  readonly paths: Pick<Paths, "backups" | "backupCache" | "backupKeys" | "backupPrograms">;
}): Backups {
  const leftovers = openLeftovers(paths.backupPrograms);
  const places = { keys: paths.backupKeys, cache: paths.backupCache, leftovers };
  return {
    handlers: (secrets, { make }) =>
      backupHandlers({
        ...{ ...deps, ...places, secrets, self: self.id, version: payload.version },
        ...{ mounts: paths.backups, make },
      }),
    async fetchStore({ repository, id }, { secrets, store }, signal) {
      if ((await resticVersion()) === undefined) throw noRestic(self.id);
      return withRestic({ ...places, secrets, store: deps.store }, repository, async (restic) => {
        let upload = "";
        const from = { repository: repository.name, id, cluster: deps.cluster };
        const to = async (copy: Readable) => {
          upload = await store.take(copy);
        };
        await readStore(restic, from, { signal, to });
        return { id: upload, passphrase: restic.password };
      });
    },
    async tidy() {
      await leftovers.tidy();
      await rm(paths.backupKeys, { recursive: true, force: true });
      await tidyClones(await deps.storage.ready(), paths.backups);
    },
  };
}

const noRestic = (machine: string) =>
  new PloyzError({
    code: "backup_tool_missing",
    message: `machine ${machine} has no restic, which reads backups`,
    hint: "install the package there: apt-get install restic",
  });
