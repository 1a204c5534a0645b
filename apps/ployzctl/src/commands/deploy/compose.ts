import { access } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { stringify } from "smol-toml";
import type { Context, Input } from "../../command.ts";
import type { ErrorDocument, TextDocument } from "../../documents.ts";
import { usage } from "../../errors.ts";
import { whyUnreadable } from "../../files.ts";
import { loadManifest } from "../../manifest/load.ts";
import { needLabel } from "../../names.ts";
import { refused } from "../../operation/follow.ts";

export async function convert(context: Context, input: Input): Promise<TextDocument | ErrorDocument> {
  const first = input.argument("file");
  const over = input.list("file");
  const files = first === undefined && over.length > 0 ? over : [first ?? "compose.yaml", ...over];
  for (const file of files) {
    if (!/^\.ya?ml$/.test(extname(file))) throw usage(`FILE: ${file} is not a .yaml or .yml file`);
    await access(resolve(context.terminal.cwd, file)).catch((error: NodeJS.ErrnoException) => {
      throw usage(`FILE: ${file}: ${whyUnreadable(error)}`, "ployzctl compose convert FILE");
    });
  }
  const namespace = input.text("namespace");
  const loaded = await loadManifest(context, {
    ...{ files, settings: [], envFiles: input.list("env-file") },
    ...(namespace !== undefined && { namespace: await needLabel("--namespace", namespace) }),
  });
  if (!loaded.ok) return refused(loaded.refusals);
  const { unread } = loaded;
  if (unread !== undefined)
    context.progress.note(`read ${loaded.file} alone; ${unread} is read where it is named: -f ${unread}`);
  return { kind: "text", text: stringify(loaded.manifest) };
}
