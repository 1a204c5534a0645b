import { errorBody } from "@ployz/errors";
import { observeMembers } from "../change/observe/cluster.ts";
import type { PrimitivePorts, Refusal } from "../engine/types.ts";
import { refusalOf } from "../error-codes.ts";
import type { BackupRepository, RepositoryAt } from "../model/backup.ts";
import type { Commands } from "../participant/commands.ts";

/** A repository may be far away. */
const LOOK_MS = 90_000;

/** The lease of verifications in a namespace. */
export const verifyScope = (namespace: string): string => `backup-verify.${namespace}`;

/** Whether a machine can make backups, or the error of its answer. */
export type Look = { readonly machine: string } & (
  | { readonly found: Commands["backup.look"]["out"] }
  | { readonly found?: undefined; readonly error: Refusal }
);

export const repositoryAt = ({ name, url, secret }: RepositoryAt): RepositoryAt => ({
  name,
  url,
  secret: { namespace: secret.namespace, name: secret.name },
});

export async function look(
  machine: string,
  repository: RepositoryAt | undefined,
  { machines }: PrimitivePorts,
  signal: AbortSignal,
): Promise<Look> {
  try {
    const args = repository === undefined ? {} : { repository };
    return {
      machine,
      found: await machines.call(machine, "backup.look", args, { timeoutMs: LOOK_MS, signal }),
    };
  } catch (error) {
    signal.throwIfAborted();
    return { machine, error: refusalOf(errorBody(error), "backup_failed") };
  }
}

/** Machines that answer, by name. */
export async function answering(ports: PrimitivePorts, signal: AbortSignal): Promise<readonly string[]> {
  const found = await observeMembers([], ports, signal);
  return found.flatMap(({ record, observation }) => (observation === undefined ? [] : [record.id]));
}

/** Those that are not removed, by name. */
export async function repositoriesOf({ store }: PrimitivePorts): Promise<readonly BackupRepository[]> {
  const facts = await store.facts.list("backup-repository");
  return facts.flatMap(({ value }) => (value.removed === true ? [] : [value]));
}

/** The repository that is named, or the only one. */
export function chooseRepository(
  named: string | undefined,
  all: readonly BackupRepository[],
): { readonly repository: BackupRepository } | { readonly refusal: Refusal } {
  const [first, ...more] = named === undefined ? all : all.filter(({ name }) => name === named);
  const names = all.map(({ name }) => name);
  if (first !== undefined && more.length === 0) return { repository: first };
  if (named !== undefined) return { refusal: unknownRepository(named, names) };
  if (first === undefined)
    return {
      refusal: {
        code: "no_such_repository",
        message: "the cluster has no repository for backups",
        hint: "add one: ployzctl backup repository add NAME URL --secret NAMESPACE/SECRET",
      },
    };
  return {
    refusal: {
      code: "invalid_input",
      message: `repository: the cluster has several: ${names.join(", ")}`,
      hint: `--repository ${first.name}`,
      details: { field: "repository" },
    },
  };
}

export const unknownRepository = (name: string, known: readonly string[]): Refusal => ({
  code: "no_such_repository",
  message: `there is no repository ${name}`,
  hint: known.length > 0 ? `there are ${known.join(", ")}` : "ployzctl backup repository ls",
});

/** Why a machine cannot use a repository. */
export function lookProblem(look: Look | undefined, machine: string): Refusal | undefined {
  if (look?.found === undefined) return look?.error ?? silent(machine);
  if (look.found.restic === null) return noRestic(machine);
  const { problem } = look.found;
  return problem === undefined ? undefined : { ...refusalOf(problem, "backup_failed"), machine };
}

export const noRestic = (machine: string): Refusal => ({
  code: "backup_tool_missing",
  message: `machine ${machine} has no restic, which makes backups`,
  hint: `install the package there: apt-get install restic`,
  machine,
});

export const absent = ({ name, url }: RepositoryAt, machine: string): Refusal => ({
  code: "repository_absent",
  message: `machine ${machine} finds no repository ${name} at ${url}`,
  hint: url.startsWith("file:")
    ? "a file: repository has to be mounted on every machine that has volumes"
    : `${url.startsWith("rclone:") ? "check the keys in its secret: rclone hides that a remote refuses them; or " : ""}create it again: ployzctl backup repository add ${name} ${url} --secret NAMESPACE/SECRET`,
  machine,
});

const silent = (machine: string): Refusal => ({
  code: "machine_unreachable",
  message: `machine ${machine} does not answer`,
  hint: `bring ${machine} back`,
  machine,
});
