import { errorBody } from "@ployz/errors";
import type { PrimitivePorts, Refusal } from "../engine/types.ts";
import { refusalOf } from "../error-codes.ts";
import { type Backup, isOwnBackup, type RepositoryAt } from "../model/backup.ts";
import { problemOf } from "./find.ts";
import { answering, look } from "./observe.ts";
import { allBackups } from "./pages.ts";

const READ_MS = 120_000;

/** The backups of a namespace that this cluster has made, oldest first, and the machine that has read them; or why none could. */
export type FoundBackups =
  | { readonly machine: string; readonly backups: readonly Backup[] }
  | { readonly refusal: Refusal };

/** Lists backups, by the first machine that reaches the repository. */
export async function listBackups(
  { repository, namespace }: { readonly repository: RepositoryAt; readonly namespace: string },
  ports: PrimitivePorts,
  signal: AbortSignal,
): Promise<FoundBackups> {
  const [machines, cluster] = await Promise.all([answering(ports, signal), ports.store.facts.get("cluster")]);
  let refusal: Refusal | undefined;
  for (const machine of machines) {
    const seen = await look(machine, repository, ports, signal);
    const problem = problemOf(seen, repository);
    if (problem !== undefined) {
      refusal ??= problem;
      continue;
    }
    try {
      const options = { timeoutMs: READ_MS, signal };
      const backups = await allBackups((after) =>
        ports.machines.call(machine, "backup.list", { repository, namespace, after }, options),
      );
      const own = cluster?.value;
      return { machine, backups: own === undefined ? [] : backups.filter((one) => isOwnBackup(one, own)) };
    } catch (error) {
      signal.throwIfAborted();
      refusal ??= refusalOf(errorBody(error), "backup_failed");
    }
  }
  return { refusal: refusal ?? NOBODY };
}

const NOBODY: Refusal = {
  code: "machine_unreachable",
  message: "no machine answers that could read the repository",
  hint: "ployzctl machine ls shows which machines answer",
};
