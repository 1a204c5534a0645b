import type { RepositoryDocument } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import { usage } from "../../errors.ts";
import { needLabel } from "../../names.ts";
import { change, changeAfterAsking } from "../../operation/change.ts";
import type { Outcome } from "../../operation/follow.ts";
import { needInNamespace } from "../../values.ts";

export async function add(context: Context, input: Input): Promise<Outcome> {
  const name = await needLabel("NAME", input.argument("name"));
  const secret = input.text("secret");
  if (secret === undefined)
    throw usage(
      "--secret NAMESPACE/SECRET is missing",
      "set one from stdin, with a line password=…: ployzctl secret set NAMESPACE/SECRET",
    );
  const { namespace, name: key } = await needInNamespace("--secret", secret);
  return change(
    context,
    {
      primitive: "backup-repository-add",
      input: { name, url: input.argument("url") ?? "", secret: `${namespace}/${key}` },
    },
    input.flag("preview"),
  );
}

/** Every machine tries it, and an unreachable one takes its time. */
const SHOW_MS = 150_000;

export async function show(context: Context, input: Input): Promise<RepositoryDocument> {
  const name = await needLabel("NAME", input.argument("name"));
  return (await context.client()).request("GET /v1/backup-repositories/:name", {
    ...{ params: { name }, signal: context.signal, idleMs: SHOW_MS },
  });
}

export async function remove(context: Context, input: Input): Promise<Outcome> {
  const name = await needLabel("NAME", input.argument("name"));
  return changeAfterAsking(
    context,
    { primitive: "backup-repository-rm", input: { name } },
    { input, question: `forget the repository ${name}?` },
  );
}
