import type { RegistryChanged } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import { usage } from "../../errors.ts";
import { readHidden, readStdin } from "../../stdin.ts";

const MAX_BYTES = 16_384;

export async function login(context: Context, input: Input): Promise<RegistryChanged> {
  const host = input.argument("host") ?? "";
  const username = input.text("username");
  if (username === undefined)
    throw usage(
      "--username USER is missing",
      `ployzctl registry login ${host} -u USER --password-stdin < FILE`,
    );
  const text = context.terminal.stdinTty
    ? await readHidden(context, `password of ${username} at ${host} (not shown): `)
    : await readStdin(context, MAX_BYTES + 2, "password");
  const password = text.replace(/\r?\n$/, "");
  if (password === "") throw usage("the password is empty", "give it on stdin");
  return (await context.client()).request("PUT /v1/registries", {
    body: { host, username, password, by: context.terminal.by },
    signal: context.signal,
    idleMs: 60_000,
  });
}
