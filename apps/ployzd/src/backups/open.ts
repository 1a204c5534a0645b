import { rm } from "node:fs/promises";
import type { SecretKeeper } from "../secrets/keeper.ts";
import type { Paths } from "../state/paths.ts";
import { openLeftovers } from "../streams/leftovers.ts";
import { tidyClones } from "./clone.ts";
import { type BackupDeps, type BackupHandlers, backupHandlers } from "./handlers.ts";

/** Backups of this machine's volumes to repositories outside the cluster. */
export interface Backups {
  handlers(secrets: Pick<SecretKeeper, "read">): BackupHandlers;
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
  return {
    handlers: (secrets) =>
      backupHandlers({
        ...{ ...deps, secrets, leftovers, self: self.id, version: payload.version },
        ...{ keys: paths.backupKeys, cache: paths.backupCache, mounts: paths.backups },
      }),
    async tidy() {
      await leftovers.tidy();
      await rm(paths.backupKeys, { recursive: true, force: true });
      await tidyClones(await deps.storage.ready(), paths.backups);
    },
  };
}
