import { statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorBody } from "@ployz/errors";
import { renderManifest } from "@ployz/primitives";
import { backupPage, shaped } from "@ployz/primitives/host";
import {
  type Backup,
  BackupContent,
  CLUSTER_BACKUPS,
  type Commands,
  type Store,
} from "@ployz/primitives/protocol";
import type { Runtime } from "@ployz/runtime";
import { PloyzError } from "../error-codes.ts";
import type { Handlers } from "../participant/handlers.ts";
import { needCopy, type Pool } from "../participant/volumes/copies.ts";
import { checkMine } from "../participant/volumes/deps.ts";
import { mountpointOf } from "../participant/volumes/layout.ts";
import { open } from "../participant/volumes/mount.ts";
import { oneAtATime } from "./alone.ts";
import { dropClone, openClone } from "./clone.ts";
import { compareBackup } from "./compare.ts";
import { checkAll, forget, whenFree } from "./forget.ts";
import { runHook } from "./hook.ts";
import { type Restic, type ResticDeps, resticVersion, withRestic } from "./restic.ts";
import { listed, messageOf, type Progress, type Summary } from "./snapshots.ts";
import { type StoreBackupDeps, takeStore } from "./store.ts";
import { tagsOf } from "./tags.ts";

export interface BackupDeps extends ResticDeps, StoreBackupDeps {
  readonly runtime: Pick<Runtime, "exec">;
  readonly version: string;
  readonly store: Pick<Store, "facts" | "commits">;
  readonly storage: { ready(): Promise<Pool> };
  /** Parent folder of the clones' mountpoints. */
  readonly mounts: string;
}

export type BackupHandlers = Pick<Handlers, Extract<keyof Commands, `backup.${string}`>>;
type Take = Commands["backup.take"];
const QUICK = 60_000;
const LOOK = 40_000;
/** Between two looks at how much a restore has written: restic 0.14 does not say. */
const LOOK_MS = 5_000;
const contentOf = shaped(BackupContent);
/** Beside the data in each backup. */
const DESCRIPTION = "ployz.json";

export function backupHandlers(deps: BackupDeps): BackupHandlers {
  const alone = oneAtATime();
  return {
    async "backup.look"({ repository }, { signal }) {
      const restic = (await resticVersion()) ?? null;
      if (restic === null || repository === undefined) return { restic };
      try {
        await withRestic(deps, repository, (one) =>
          one.run(["cat", "config", "--no-lock"], { signal, timeoutMs: LOOK }),
        );
        return { restic, state: "ready" };
      } catch (error) {
        signal.throwIfAborted();
        const problem = errorBody(error);
        return problem.code === "repository_absent" ? { restic, state: "absent" } : { restic, problem };
      }
    },
    "backup.open": ({ repository }, { signal }) =>
      withRestic(deps, repository, async (restic) => {
        try {
          await restic.run(["init"], { signal });
          return { created: true };
        } catch (error) {
          // Made by an earlier try, whose answer was lost: its password decides.
          await restic.run(["cat", "config", "--no-lock"], { signal }).catch(() => {
            throw error;
          });
          return { created: false };
        }
      }),
    "backup.list": ({ repository, namespace, after }, { signal }) =>
      withRestic(deps, repository, async (restic) => {
        const tags = namespace === undefined ? [] : [`namespace=${namespace}`];
        return backupPage(await listed(restic, repository.name, tags, signal), after);
      }),
    "backup.read": ({ repository, id }, { signal }) =>
      withRestic(deps, repository, async (restic) => {
        const [backup, ...more] = (await listed(restic, repository.name, [], signal)).filter((one) =>
          one.id.startsWith(id),
        );
        if (backup === undefined || more.length > 0) return null;
        if (backup.namespace === CLUSTER_BACKUPS) throw ofTheStore(backup);
        const text = await restic.run(["dump", "--no-lock", backup.id, `/${DESCRIPTION}`], {
          signal,
          timeoutMs: QUICK,
        });
        return { backup, content: contentOf(JSON.parse(text)) };
      }),
    "backup.take": (args, { signal, progress }) =>
      alone(args.id, signal, (stop) =>
        withRestic(deps, args.repository, (restic) => take(deps, restic, args, stop, progress)),
      ),
    "backup.store": (args, { signal, progress }) =>
      withRestic(deps, args.repository, (restic) => takeStore(deps, restic, args, { signal, progress })),
    "backup.hook": (args, { signal }) => runHook(deps.runtime, args, signal),
    "backup.forget": ({ repository, backups }, { signal, progress }) =>
      withRestic(deps, repository, (restic) =>
        forget(restic, backups, signal, (waiting) => progress(waiting ? { waiting } : {})),
      ),
    "backup.drop": ({ repository, id }, { signal }) =>
      alone(id, signal, async () => {
        await dropClone(await deps.storage.ready(), id, deps.mounts);
        // A repository that cannot be reached now must not keep the clone: its lock goes with the next run.
        await withRestic(deps, repository, (restic) => restic.run(["unlock"], { signal })).catch(() => {});
        return null;
      }),
    "backup.restore": ({ repository, ...what }, { signal, progress }) =>
      alone(what.id, signal, (stop) =>
        withRestic(deps, repository, (restic) => restore(deps, restic, what, stop, progress)),
      ),
    "backup.compare": ({ repository, backup, id, operation }, { signal, progress }) =>
      withRestic(deps, repository, async (restic) => {
        const pool = await deps.storage.ready();
        checkMine(await needCopy(pool, id, deps.self), operation);
        const sign = (done: number) => progress({ done });
        return compareBackup(restic, { backup, path: mountpointOf(pool.layout, id) }, { signal, sign });
      }),
    "backup.check": ({ repository }, { signal, progress }) =>
      withRestic(deps, repository, (restic) => checkAll(restic, signal, () => progress({}))),
  };
}

async function take(
  deps: BackupDeps,
  restic: Restic,
  args: Take["args"],
  signal: AbortSignal,
  progress: (value: Progress) => void,
): Promise<Take["out"]> {
  const { repository, namespace, volume, id, snapshot, commit, operation } = args;
  const mine = async () =>
    (await listed(restic, repository.name, [`operation=${operation}`, `volume=${volume}`], signal)).at(-1);
  const before = await mine();
  if (before !== undefined) return { backup: before.id, at: before.at, bytes: 0, addedBytes: 0 };
  const pool = await deps.storage.ready();
  try {
    const clone = await openClone(pool, { ...args, self: deps.self }, deps.mounts);
    await writeFile(join(clone.path, DESCRIPTION), await describe(deps, args, clone.bytes));
    const tags = {
      cluster: deps.cluster.name,
      clusterId: deps.cluster.id,
      namespace,
      volume,
      machine: deps.self,
      commit,
      snapshot,
      operation,
    };
    let summary: Summary | undefined;
    const wait = { signal, waiting: () => progress({ waiting: true }) };
    await whenFree(restic, wait, () =>
      restic.follow(
        [
          ...["backup", "--json", "--host", deps.cluster.name, "--tag", tagsOf(tags)],
          ...["--time", clone.at.slice(0, 19).replace("T", " "), "data", DESCRIPTION],
        ],
        {
          signal,
          cwd: clone.path,
          line(text) {
            const message = messageOf(text);
            if (message?.message_type === "summary") summary = message;
            if (message?.message_type === "status" && message.bytes_done !== undefined)
              progress({
                done: message.bytes_done,
                ...(message.total_bytes !== undefined && { total: message.total_bytes }),
              });
          },
        },
      ),
    );
    const made = await mine();
    if (made === undefined)
      throw new PloyzError({
        code: "backup_failed",
        message: `the repository ${repository.name} does not list the backup`,
      });
    return {
      ...{ backup: made.id, at: made.at },
      ...{ bytes: summary?.total_bytes_processed ?? clone.bytes, addedBytes: summary?.data_added ?? 0 },
    };
  } finally {
    await dropClone(pool, id, deps.mounts);
  }
}

/** What a restore into another cluster needs to know. */
async function describe(
  { store, version }: BackupDeps,
  { namespace, volume, commit: revision, guid }: Take["args"],
  bytes: number,
): Promise<string> {
  const commit = (await store.commits.at(namespace, revision))?.value;
  const spec = commit?.volumes.find(({ name }) => name === volume)?.spec;
  if (commit === undefined || spec === undefined)
    throw new PloyzError({
      code: "no_such_commit",
      message: `${namespace} has no commit ${revision} with a volume ${volume}`,
      hint: "run the same command again",
    });
  const { scope, quotaBytes, recordsizeBytes } = spec;
  const content: BackupContent = {
    ...{ v: 1, version, guid, bytes, manifest: renderManifest(commit) },
    spec: {
      scope,
      ...(quotaBytes !== undefined && { quotaBytes }),
      ...(recordsizeBytes !== undefined && { recordsizeBytes }),
    },
  };
  return JSON.stringify(content);
}

async function restore(
  { storage, self }: BackupDeps,
  restic: Restic,
  { backup, id, operation, fresh }: Omit<Commands["backup.restore"]["args"], "repository">,
  signal: AbortSignal,
  progress: (value: Progress) => void,
): Promise<null> {
  const pool = await storage.ready();
  const copy = await needCopy(pool, id, self);
  checkMine(copy, operation);
  await open(pool, copy.dataset.name, id);
  const path = mountpointOf(pool.layout, id);
  const written = async () => {
    const { blocks, bfree, bsize } = await statfs(path);
    return (blocks - bfree) * bsize;
  };
  let known = 0;
  const watch = setInterval(() => {
    void written().then(
      (done) => {
        if (done !== known) progress({ done });
        known = done;
      },
      () => undefined, // the pool is gone: restic says so
    );
  }, LOOK_MS);
  try {
    const wait = { signal, waiting: () => progress({ waiting: true }) };
    await whenFree(restic, wait, () =>
      restic.follow(
        [
          ...["restore", backup, "--target", path, "--include", "/data", "--verify"],
          ...(fresh ? ["--no-cache"] : []),
        ],
        { signal },
      ),
    );
    return null;
  } finally {
    clearInterval(watch);
  }
}

const ofTheStore = ({ id, repository }: Backup) =>
  new PloyzError({
    code: "no_such_backup",
    message: `${id.slice(0, 8)} is a backup of the store, not of a volume`,
    hint: `ployzctl store restore --repository ${repository} --backup ${id.slice(0, 8)}`,
  });
