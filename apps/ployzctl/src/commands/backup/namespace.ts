import type { BackupList, ManifestDocument } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import { usage } from "../../errors.ts";
import { needLabel } from "../../names.ts";
import { change } from "../../operation/change.ts";
import type { Outcome } from "../../operation/follow.ts";
import { given } from "../../values.ts";

/** A repository may be far away. */
const READ_MS = 300_000;

/** Restores every volume of the run that a backup belongs to, then prints the manifest. Volumes that were restored before stay. */
export async function restoreNamespace(
  context: Context,
  input: Input,
  { namespace, id, ...place }: { namespace: string; id: string; repository?: string; machine?: string },
): Promise<Outcome | BackupList | ManifestDocument> {
  const target = input.text("as");
  if (target === undefined || target.includes("/"))
    throw usage("--as: a namespace is restored as a namespace", "write --as NAMESPACE");
  await needLabel("--as", target);
  const client = await context.client();
  const options = { signal: context.signal, idleMs: READ_MS };
  const repository = given("repository", place.repository);
  const { backup, manifest } = await client.request("GET /v1/backups/:id", {
    ...{ ...options, params: { id }, query: repository },
  });
  if (backup.namespace !== namespace)
    throw usage(`BACKUP: ${id} is of ${backup.namespace}, not of ${namespace}`, "ployzctl backup ls");
  const { backups } = await client.request("GET /v1/backups", {
    ...{ ...options, query: { namespace, repository: backup.repository } },
  });
  const wanted = backups.filter(
    (one) => one.operation === backup.operation && one.cluster === backup.cluster,
  );
  const preview = input.flag("preview");
  for (const { id: one, volume } of wanted) {
    const asked = {
      ...{ namespace, volume, backup: one, repository: backup.repository },
      ...{ target: { namespace: target, volume }, ...given("machine", place.machine) },
    };
    const outcome = await change(context, { primitive: "backup-restore", input: asked }, preview);
    if (outcome.kind !== "plan" && !(outcome.kind === "operation" && outcome.state === "done"))
      return outcome;
  }
  if (preview) return { kind: "backups", backups: wanted, problems: [] };
  const text = manifest.replace(/^namespace = .*$/m, `namespace = ${JSON.stringify(target)}`);
  return { kind: "manifest", namespace: target, revision: backup.commit, text };
}
