import { errorBody } from "@ployz/errors";
import type {
  BackupDocument,
  BackupList,
  RepositoryDocument,
  RepositoryList,
  RepositoryRow,
  StoreRestore,
} from "@ployz/primitives/client";
import { allBackups } from "@ployz/primitives/host";
import {
  type BackupRepository,
  type Commands,
  checkLabel,
  type RepositoryAt,
} from "@ployz/primitives/protocol";
import type { Daemon } from "../daemon/daemon.ts";
import type { Member } from "../daemon/member-parts.ts";
import { PloyzError } from "../error-codes.ts";
import type { ApiRoutes } from "./router.ts";

type Routes =
  | "GET /v1/backup-repositories"
  | "GET /v1/backup-repositories/:name"
  | "GET /v1/backups"
  | "GET /v1/backups/:id";

const READ_MS = 120_000;

export function backupRoutes(daemon: Daemon): Pick<ApiRoutes["json"], Routes> {
  return {
    "GET /v1/backup-repositories": async (): Promise<RepositoryList> => ({
      kind: "backup-repositories",
      repositories: (await repositories(daemon.member())).map(rowOf),
    }),
    "GET /v1/backup-repositories/:name": async ({ params, signal }) => {
      const member = daemon.member();
      return repositoryDocument(member, await needRepository(member, params.name), signal);
    },
    "GET /v1/backups": async ({ query, signal }) => list(daemon.member(), query, signal),
    "GET /v1/backups/:id": async ({ params, query, signal }) =>
      show(daemon.member(), params.id, query.repository, signal),
  };
}

async function repositories({ store }: Member): Promise<readonly BackupRepository[]> {
  const facts = await store.facts.list("backup-repository");
  return facts.flatMap(({ value }) => (value.removed === true ? [] : [value]));
}

/** @throws PloyzError `no_such_repository`. */
async function needRepository(member: Member, name: string): Promise<BackupRepository> {
  const all = await repositories(member);
  const found = all.find((one) => one.name === name);
  if (found !== undefined) return found;
  const known = all.map((one) => one.name);
  throw new PloyzError({
    code: "no_such_repository",
    message: `there is no repository ${name.slice(0, 63)}`,
    hint: known.length > 0 ? `there are ${known.join(", ")}` : "ployzctl backup repository ls",
  });
}

/** A restore of the store: from an upload, or from a repository, whose copy is fetched into one. @throws PloyzError. */
export async function restoreRequest(
  member: Member,
  { repository, backup, ...request }: StoreRestore,
  signal: AbortSignal,
): Promise<StoreRestore & { readonly id: string }> {
  const { id } = request;
  if ((id === undefined) === (repository === undefined))
    throw new PloyzError({
      code: "invalid_input",
      message: "id: either an upload or a repository is needed",
      details: { field: "id" },
    });
  if (id !== undefined) return { ...request, id };
  const from = { repository: at(await needRepository(member, repository ?? "")), id: backup };
  const { secrets, authority } = member;
  return {
    ...request,
    ...(await member.backups.fetchStore(from, { secrets, store: authority.backups }, signal)),
  };
}

const rowOf = ({ name, url, secret, at, by }: BackupRepository): RepositoryRow => ({
  ...{ name, url, secret: `${secret.namespace}/${secret.name}`, at, by },
});

const at = ({ name, url, secret }: BackupRepository): RepositoryAt => ({ name, url, secret });

async function repositoryDocument(
  member: Member,
  repository: BackupRepository,
  signal: AbortSignal,
): Promise<RepositoryDocument> {
  const looks = machinesOf(member).map(async (machine): Promise<RepositoryDocument["machines"][number]> => {
    try {
      const args = { repository: at(repository) };
      const found = await member.machines.call(machine, "backup.look", args, { timeoutMs: READ_MS, signal });
      const { restic, state = "unusable", problem } = found;
      return {
        ...{ machine, state },
        ...(restic !== null && { restic }),
        ...(problem !== undefined && { problem }),
      };
    } catch (error) {
      return { machine, state: "unusable", problem: errorBody(error) };
    }
  });
  const machines = await Promise.all(looks);
  return { kind: "backup-repository", ...rowOf(repository), machines };
}

/** This machine first. */
function machinesOf(member: Member): readonly string[] {
  const { machine, machines } = member.membership();
  return [
    machine.id,
    ...machines.flatMap(({ id, state }) => (id === machine.id || state === "removed" ? [] : [id])),
  ];
}

/** Another machine may have restic, or see the file system that the repository is on. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  "backup_tool_missing",
  "repository_absent",
  "machine_unreachable",
  "no_such_command",
]);

async function ask<N extends "backup.list" | "backup.read">(
  member: Member,
  command: N,
  args: Commands[N]["args"],
  signal: AbortSignal,
): Promise<Commands[N]["out"]> {
  let first: unknown;
  for (const machine of machinesOf(member)) {
    try {
      return await member.machines.call(machine, command, args, { timeoutMs: READ_MS, signal });
    } catch (error) {
      first ??= error;
      if (!ELSEWHERE.has(errorBody(error).code)) throw error;
    }
  }
  throw first;
}

async function list(
  member: Member,
  { namespace, repository }: { readonly namespace?: string; readonly repository?: string },
  signal: AbortSignal,
): Promise<BackupList> {
  if (namespace !== undefined) checked("namespace", namespace);
  const wanted =
    repository === undefined ? await repositories(member) : [await needRepository(member, repository)];
  const found = await Promise.all(
    wanted.map(async (one) => {
      try {
        const args = { repository: at(one), ...(namespace !== undefined && { namespace }) };
        const read = (after: string) => ask(member, "backup.list", { ...args, after }, signal);
        return { backups: await allBackups(read) };
      } catch (error) {
        // The caller wants this repository alone: there is nothing else to list.
        if (repository !== undefined) throw error;
        return { backups: [], problem: { repository: one.name, error: errorBody(error) } };
      }
    }),
  );
  return {
    kind: "backups",
    backups: found.flatMap(({ backups }) => backups).sort((left, right) => (left.at < right.at ? -1 : 1)),
    problems: found.flatMap(({ problem }) => problem ?? []),
  };
}

async function show(
  member: Member,
  id: string,
  named: string | undefined,
  signal: AbortSignal,
): Promise<BackupDocument> {
  if (!/^[0-9a-f]{8,64}$/.test(id))
    throw new PloyzError({
      code: "invalid_input",
      message: "backup: is not the id of a backup, or eight characters of its beginning",
      hint: "list them: ployzctl backup ls",
    });
  const wanted = named === undefined ? await repositories(member) : [await needRepository(member, named)];
  let failed: unknown;
  for (const repository of wanted) {
    const args = { repository: at(repository), id };
    const found = await ask(member, "backup.read", args, signal).catch((error: unknown) => {
      failed ??= error;
      return null;
    });
    if (found === null) continue;
    const { backup, content } = found;
    const { version, bytes, guid, manifest, spec } = content;
    const { quotaBytes, recordsizeBytes } = spec;
    return {
      ...{ kind: "backup", backup, version, bytes, guid, manifest },
      ...(quotaBytes !== undefined && { quotaBytes }),
      ...(recordsizeBytes !== undefined && { recordsizeBytes }),
    };
  }
  if (failed !== undefined) throw failed;
  throw new PloyzError({
    code: "no_such_backup",
    message: `no repository has a backup ${id}`,
    hint: "list them: ployzctl backup ls",
  });
}

function checked(field: string, text: string): void {
  const problem = checkLabel(field, text);
  if (problem !== undefined) throw new PloyzError(problem);
}
