import type { BackupDocument, BackupList, ManifestDocument } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import { usage } from "../../errors.ts";
import { needLabel } from "../../names.ts";
import { change, changeAfterAsking } from "../../operation/change.ts";
import type { Outcome } from "../../operation/follow.ts";
import { given, needInNamespace } from "../../values.ts";
import { keepOf } from "./keep.ts";

/** A repository may be far away. */
const READ_MS = 300_000;

const repositoryOf = async (input: Input) => {
  const name = input.text("repository");
  return given("repository", name === undefined ? undefined : await needLabel("--repository", name));
};

export async function run(context: Context, input: Input): Promise<Outcome> {
  const volume = input.text("volume");
  const wanted = {
    namespace: await needLabel("NAMESPACE", input.argument("namespace")),
    ...given("volume", volume === undefined ? undefined : await needLabel("--volume", volume)),
    ...(await repositoryOf(input)),
  };
  return change(context, { primitive: "backup-run", input: wanted }, input.flag("preview"));
}

export async function list(context: Context, input: Input): Promise<BackupList> {
  const namespace = input.argument("namespace");
  const query = {
    ...given("namespace", namespace === undefined ? undefined : await needLabel("NAMESPACE", namespace)),
    ...(await repositoryOf(input)),
  };
  return (await context.client()).request("GET /v1/backups", {
    ...{ query, signal: context.signal, idleMs: READ_MS },
  });
}

export async function show(context: Context, input: Input): Promise<BackupDocument | ManifestDocument> {
  const id = needBackup("BACKUP", input.argument("backup") ?? "");
  const found = await (await context.client()).request("GET /v1/backups/:id", {
    ...{ params: { id }, query: await repositoryOf(input), signal: context.signal, idleMs: READ_MS },
  });
  if (!input.flag("manifest")) return found;
  const { namespace, commit } = found.backup;
  return { kind: "manifest", namespace, revision: commit, text: found.manifest };
}

export async function verify(context: Context, input: Input): Promise<Outcome> {
  const [name = "", id] = (input.argument("backup") ?? "").split("@", 2);
  const [job, to] = [input.text("job"), input.text("to")];
  const volume = name.includes("/") ? await needInNamespace("BACKUP", name) : undefined;
  if (id !== undefined && volume === undefined)
    throw usage("BACKUP: a backup is of one volume", "write NAMESPACE/VOLUME@BACKUP");
  const asked = {
    namespace: volume?.namespace ?? (await needLabel("NAMESPACE", name)),
    ...given("volume", volume?.name),
    ...given("backup", id === undefined ? undefined : needBackup("BACKUP", id)),
    ...given("job", job === undefined ? undefined : await needLabel("--job", job)),
    ...given("machine", to === undefined ? undefined : await needLabel("--to", to)),
    ...given("allData", input.flag("all-data") || undefined),
    ...(await repositoryOf(input)),
  };
  return change(context, { primitive: "backup-verify", input: asked }, input.flag("preview"));
}

export async function prune(context: Context, input: Input): Promise<Outcome> {
  const namespace = await needLabel("NAMESPACE", input.argument("namespace"));
  const volume = input.text("volume");
  const keep = keepOf(input);
  if (!Object.values(keep).some((count) => count > 0))
    throw usage("no rule says which backups stay", "for example --keep-daily 14");
  const asked = {
    ...{ namespace, keep },
    ...given("volume", volume === undefined ? undefined : await needLabel("--volume", volume)),
    ...(await repositoryOf(input)),
  };
  return changeAfterAsking(
    context,
    { primitive: "backup-prune", input: asked },
    { input, question: "Delete these backups?" },
  );
}

export async function restore(
  context: Context,
  input: Input,
): Promise<Outcome | BackupList | ManifestDocument> {
  const text = input.argument("backup") ?? "";
  const at = text.lastIndexOf("@");
  if (at < 0)
    throw usage(
      `BACKUP: ${JSON.stringify(text.slice(0, 80))} is neither NAMESPACE/VOLUME@BACKUP nor NAMESPACE@BACKUP`,
      "ployzctl backup ls",
    );
  if (!text.slice(0, at).includes("/")) {
    const to = input.text("to");
    const { restoreNamespace } = await import("./namespace.ts");
    return restoreNamespace(context, input, {
      namespace: await needLabel("NAMESPACE", text.slice(0, at)),
      id: needBackup("BACKUP", text.slice(at + 1)),
      ...given("machine", to === undefined ? undefined : await needLabel("--to", to)),
      ...(await repositoryOf(input)),
    });
  }
  const source = await needInNamespace("BACKUP", text.slice(0, at));
  const as = input.text("as");
  if (as === undefined) throw usage("--as NAMESPACE/VOLUME is missing", "a restore makes a new volume");
  const target = await needInNamespace("--as", as);
  const to = input.text("to");
  return change(
    context,
    {
      primitive: "backup-restore",
      input: {
        ...{ namespace: source.namespace, volume: source.name },
        backup: needBackup("BACKUP", text.slice(at + 1)),
        target: { namespace: target.namespace, volume: target.name },
        ...given("machine", to === undefined ? undefined : await needLabel("--to", to)),
        ...(await repositoryOf(input)),
      },
    },
    input.flag("preview"),
  );
}

function needBackup(field: string, text: string): string {
  if (/^[0-9a-f]{8,64}$/.test(text)) return text;
  throw usage(
    `${field}: ${JSON.stringify(text.slice(0, 80))} is not the id of a backup, or eight characters of its beginning`,
    "list them: ployzctl backup ls",
  );
}
