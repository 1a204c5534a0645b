import { unknownRepository } from "../backups/observe.ts";
import { liveHead } from "../change/decide/as-it-is.ts";
import { unknownMachine } from "../change/decide/refuse.ts";
import { noStorage } from "../change/decide/volumes.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import type { Refusal } from "../error-codes.ts";
import type { NormalManifest } from "../manifest/normalise.ts";

/**
 * Standbys and backups of volumes that could never be made, since the machine or the repository is not there. What the last commit has already
 * is only warned of: a lost machine, or a repository that was removed, must not keep a new version of a service away.
 */
export function missingCopies(
  { volumes }: Pick<NormalManifest, "volumes">,
  facts: ChangeFacts & { readonly repositories: readonly string[] },
): { readonly refusals: readonly Refusal[]; readonly warnings: readonly string[] } {
  const committed = new Map(liveHead(facts.head)?.commit.volumes.map(({ name, spec }) => [name, spec]));
  const refusals: Refusal[] = [];
  const warnings: string[] = [];
  const missing = (why: Refusal, known: boolean) => {
    if (known) warnings.push(why.message);
    else refusals.push(why);
  };
  for (const [name, { standby, backup }] of Object.entries(volumes)) {
    const before = committed.get(name);
    for (const machine of standby?.machines ?? []) {
      const there = facts.machines.find(({ record }) => record.id === machine);
      const observed = there?.observation;
      const why =
        unknownMachine(`volumes.${name}.standby.machines`, machine, facts) ??
        (observed !== undefined && observed.storage === undefined ? noStorage(name, machine) : undefined);
      if (why) missing(why, before?.standby?.machines.includes(machine) === true);
    }
    if (backup !== undefined && !facts.repositories.includes(backup.repository)) {
      const { message, ...why } = unknownRepository(backup.repository, facts.repositories);
      const found = { ...why, message: `volumes.${name}.backup.repository: ${message}` };
      missing(found, before?.backup?.repository === backup.repository);
    }
  }
  return { refusals, warnings };
}
