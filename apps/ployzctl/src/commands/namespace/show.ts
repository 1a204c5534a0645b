import type { CommitDocument, ManifestDocument } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import { needLabel } from "../../names.ts";
import { needCommit } from "../../values.ts";

export async function show(context: Context, input: Input): Promise<CommitDocument | ManifestDocument> {
  const [name, ...rest] = (input.argument("commit") ?? "").split("@");
  const ns = await needLabel("COMMIT", name);
  const commit = rest.length === 0 ? undefined : needCommit("COMMIT", rest.join("@"));
  const client = await context.client();
  const { signal } = context;
  if (input.flag("manifest"))
    return client.request("GET /v1/namespaces/:ns/manifest", {
      params: { ns },
      query: commit === undefined ? {} : { commit },
      signal,
    });
  return client.request("GET /v1/namespaces/:ns/commits/:commit", {
    params: { ns, commit: commit ?? "last" },
    signal,
  });
}
