import { errorBody } from "@ployz/errors";
import type { MachineFact } from "../change/observe/facts.ts";
import type { PrimitivePorts, Refusal } from "../engine/types.ts";
import { refusalOf } from "../error-codes.ts";
import type { RepositoryAt } from "../model/backup.ts";
import type { Commands } from "../participant/commands.ts";
import { absent, type Look, look, lookProblem, noRestic } from "./observe.ts";

const READ_MS = 120_000;

/** A backup, and the machine that has read it; or why none could. */
export type FoundBackup =
  | { readonly machine: string; readonly found: NonNullable<Commands["backup.read"]["out"]> }
  | { readonly refusal: Refusal };

/** Reads a backup from the first machine that reaches its repository. `only`: no other one is asked. */
export async function findBackup(
  { repository, id, only }: { repository: RepositoryAt; id: string; only?: string },
  machines: readonly MachineFact[],
  ports: PrimitivePorts,
  signal: AbortSignal,
): Promise<FoundBackup> {
  const hosts = hostsOf(machines).filter((machine) => only === undefined || machine === only);
  let refusal: Refusal | undefined;
  for (const machine of hosts) {
    const seen = await look(machine, repository, ports, signal);
    const problem = problemOf(seen, repository);
    if (problem === undefined) return read(machine, { repository, id }, ports, signal);
    refusal ??= problem;
    // Another machine has the same credentials and the same repository.
    if (seen.found?.problem !== undefined) break;
  }
  return { refusal: refusal ?? noHost(only) };
}

/** Why a machine cannot read from a repository. */
export function problemOf(seen: Look, repository: RepositoryAt): Refusal | undefined {
  if (seen.found?.restic === null) return noRestic(seen.machine);
  return (
    lookProblem(seen, seen.machine) ??
    (seen.found?.state === "absent" ? absent(repository, seen.machine) : undefined)
  );
}

async function read(
  machine: string,
  { repository, id }: { readonly repository: RepositoryAt; readonly id: string },
  { machines }: PrimitivePorts,
  signal: AbortSignal,
): Promise<FoundBackup> {
  try {
    const options = { timeoutMs: READ_MS, signal };
    const found = await machines.call(machine, "backup.read", { repository, id }, options);
    return found === null ? { refusal: noBackup(id, repository) } : { machine, found };
  } catch (error) {
    signal.throwIfAborted();
    return { refusal: refusalOf(errorBody(error), "backup_failed") };
  }
}

/** Machines that could have a restored volume. */
export const hostsOf = (machines: readonly MachineFact[]): readonly string[] =>
  machines.flatMap(({ record, observation }) =>
    observation?.storage !== undefined && record.state === "active" ? [record.id] : [],
  );

export const noBackup = (id: string, { name }: RepositoryAt): Refusal => ({
  code: "no_such_backup",
  message: `the repository ${name} has no backup ${id}`,
  hint: "list them: ployzctl backup ls",
});

const noHost = (only: string | undefined): Refusal =>
  only === undefined
    ? {
        code: "no_storage",
        message: "no active machine that answers has ZFS for volumes",
        hint: "ployzctl machine ls shows which machines answer; ployzctl doctor says more",
      }
    : {
        code: "no_storage",
        message: `machine ${only} cannot take a volume: it does not answer, takes nothing new, or has no ZFS`,
        hint: "choose another one of ployzctl machine ls",
        machine: only,
      };
