import { extname } from "node:path";
import { stringify } from "smol-toml";
import type { Context, Input } from "../../command.ts";
import type { ErrorDocument, TextDocument } from "../../documents.ts";
import { usage } from "../../errors.ts";
import { loadManifest } from "../../manifest/load.ts";
import { needLabel } from "../../names.ts";
import { refused } from "../../operation/follow.ts";

export async function convert(context: Context, input: Input): Promise<TextDocument | ErrorDocument> {
  const file = input.argument("file") ?? "compose.yaml";
  if (!/^\.ya?ml$/.test(extname(file))) throw usage(`FILE: ${file} is not a .yaml or .yml file`);
  const namespace = input.text("namespace");
  const loaded = await loadManifest(context, {
    ...{ files: [file], settings: [], envFiles: input.list("env-file") },
    ...(namespace !== undefined && { namespace: await needLabel("--namespace", namespace) }),
  });
  if (!loaded.ok) return refused(loaded.refusals);
  return { kind: "text", text: stringify(loaded.manifest) };
}
