import { isUtf8 } from "node:buffer";
import { LIMITS } from "@ployz/primitives/protocol";
import type { SecretChanged } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import { usage } from "../../errors.ts";
import { readHidden, readStdinBytes } from "../../stdin.ts";
import { needInNamespace } from "../../values.ts";

export async function set(context: Context, input: Input): Promise<SecretChanged> {
  const { namespace: ns, name } = await needInNamespace("SECRET", input.argument("secret"));
  const text = context.terminal.stdinTty
    ? await readHidden(context, `value of ${ns}/${name} (not shown): `)
    : await readText(context);
  const value = text.replace(/\r?\n$/, "");
  if (value === "") throw usage("the value is empty", `ployzctl secret set ${ns}/${name} < FILE`);
  return (await context.client()).request("PUT /v1/secrets/:ns/:name", {
    params: { ns, name },
    body: { value, private: input.flag("no-branch"), by: context.terminal.by },
    signal: context.signal,
  });
}

/** Allows one newline at the end. Bytes that are not UTF-8 would not survive JSON. */
async function readText(context: Context): Promise<string> {
  const bytes = await readStdinBytes(context, LIMITS.word + 2, "value");
  if (!isUtf8(bytes))
    throw usage("the value on stdin is not UTF-8 text", "encode it, for example with base64");
  return bytes.toString("utf8");
}
