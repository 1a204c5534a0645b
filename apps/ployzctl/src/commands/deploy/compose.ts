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
  const file = input.argument("file") ?? "compose.yaml";
  if (!/^\.ya?ml$/.test(extname(file))) throw usage(`FILE: ${file} is not a .yaml or .yml file`);
  await access(resolve(context.terminal.cwd, file)).catch((error: NodeJS.ErrnoException) => {
    throw usage(`FILE: ${file}: ${whyUnreadable(error)}`, "ployzctl compose convert FILE");
  });
  const namespace = input.text("namespace");
  const loaded = await loadManifest(context, {
    ...{ files: [file], settings: [], envFiles: input.list("env-file") },
    ...(namespace !== undefined && { namespace: await needLabel("--namespace", namespace) }),
  });
  if (!loaded.ok) return refused(loaded.refusals);
  return { kind: "text", text: stringify(loaded.manifest) };
}
