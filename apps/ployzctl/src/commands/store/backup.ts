import { createReadStream } from "node:fs";
import { access, readFile, rename, rm, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import type { StoreRestore } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import type { StoreSnapshot } from "../../documents.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { needAbsent, openPart, whyUnreadable } from "../../files.ts";
import { needLabel } from "../../names.ts";
import { change } from "../../operation/change.ts";
import type { Outcome } from "../../operation/follow.ts";
import { readStdin } from "../../stdin.ts";
import { keepOf } from "../backup/keep.ts";
import { agree, followStore, type StoreOutcome } from "./store.ts";

export async function snapshot(context: Context, input: Input): Promise<StoreSnapshot | Outcome> {
  const given = input.text("output");
  const keep = keepOf(input);
  const repository = await repositoryOf(input, given === undefined ? undefined : "--output");
  if (repository !== undefined) {
    const asked = { repository, ...(Object.keys(keep).length > 0 && { keep }) };
    return change(context, { primitive: "store-backup", input: asked }, input.flag("preview"));
  }
  if (given === undefined)
    throw usage("--output FILE or --repository NAME is missing", "for example -o backup.ployz");
  if (Object.keys(keep).length > 0)
    throw usage("--keep-last and its like go with --repository: a rule is about its backups");
  if (input.flag("preview")) throw usage("--preview: a backup to a file changes nothing");
  const path = resolve(context.terminal.cwd, given);
  await needAbsent(path, given);
  const passphrase = await passphraseOf(context, input);
  const client = await context.client();
  const file = await openPart(path, given);
  const part = `${path}.part`;
  try {
    const source = await client.storeSnapshot(passphrase, context.signal);
    await pipeline(source, file.createWriteStream({ flush: true }));
    await rename(part, path);
  } finally {
    await file.close();
    await rm(part, { force: true });
  }
  const { size } = await stat(path);
  return { kind: "store-snapshot", file: path, bytes: size, encrypted: passphrase !== undefined };
}

export async function restore(context: Context, input: Input): Promise<StoreOutcome> {
  const given = input.argument("file");
  const repository = await repositoryOf(input, given === undefined ? undefined : "FILE");
  const backup = input.text("backup");
  if (backup !== undefined && repository === undefined) throw usage("--backup: needs --repository");
  if (backup !== undefined && !/^[0-9a-f]{8,64}$/.test(backup))
    throw usage("--backup: is not the beginning of an id", "list them: ployzctl backup ls");
  if (repository !== undefined)
    return restoreFrom(context, input, async () => ({
      repository,
      ...(backup !== undefined && { backup }),
    }));
  if (given === undefined) throw usage("FILE or --repository NAME is missing", "for example backup.ployz");
  const path = resolve(context.terminal.cwd, given);
  await access(path).catch((error: NodeJS.ErrnoException) => {
    throw new PloyzError({
      code: "backup_missing",
      message: `${given}: ${whyUnreadable(error)}`,
    });
  });
  const passphrase = await passphraseOf(context, input);
  const client = await context.client();
  return restoreFrom(context, input, async () => ({
    id: await client.uploadBackup(createReadStream(path), context.signal),
    ...(passphrase !== undefined && { passphrase }),
  }));
}

/** Shows what a restore would lose and asks, as the flags want it. `source`: is taken again for each try. */
async function restoreFrom(
  context: Context,
  input: Input,
  source: () => Promise<StoreRestore>,
): Promise<StoreOutcome> {
  const client = await context.client();
  const run = async (preview: boolean, overwrite: boolean) => {
    const body = { ...(await source()), preview, overwrite };
    return followStore(
      context,
      (signal) => client.stream("POST /v1/store/restore", { body, signal }),
      preview,
    );
  };
  if (input.flag("preview")) return run(true, false);
  if (input.flag("yes")) return run(false, true);
  const plan = await run(true, false);
  if (plan.kind !== "store-plan") return plan;
  // Without a terminal: the daemon refuses a restore that would lose commits.
  if (!context.terminal.stdinTty || context.globals.json || input.flag("passphrase-stdin"))
    return run(false, false);
  await agree(context, plan, "Restore the store from this backup?");
  return run(false, true);
}

/** `other`: is given instead. */
async function repositoryOf(input: Input, other: string | undefined): Promise<string | undefined> {
  const name = input.text("repository");
  if (name === undefined) return undefined;
  if (other !== undefined) throw usage(`--repository and ${other} exclude each other`);
  if (input.flag("passphrase-stdin") || input.text("passphrase-file") !== undefined)
    throw usage(
      "--passphrase-file and --passphrase-stdin go with a file: the repository's password is the passphrase",
    );
  return needLabel("--repository", name);
}

/** Never an argument: other users could read it. */
async function passphraseOf(context: Context, input: Input): Promise<string | undefined> {
  const file = input.text("passphrase-file");
  if (file !== undefined && input.flag("passphrase-stdin"))
    throw usage("--passphrase-stdin and --passphrase-file exclude each other");
  if (file === undefined && !input.flag("passphrase-stdin")) return undefined;
  const text =
    file === undefined
      ? await readStdin(context, MAX_PASSPHRASE, "passphrase")
      : await readFile(resolve(context.terminal.cwd, file), "utf8").catch((error: Error) => {
          throw new PloyzError({ code: "file_unreadable", message: `--passphrase-file: ${error.message}` });
        });
  const passphrase = text.replace(/\r?\n$/, "");
  if (passphrase === "") throw usage("the passphrase is empty");
  return passphrase;
}

const MAX_PASSPHRASE = 4_000;
