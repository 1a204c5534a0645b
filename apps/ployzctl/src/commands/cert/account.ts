import type { CertificateAccount } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import { usage } from "../../errors.ts";
import { readStdin } from "../../stdin.ts";
import { readGiven } from "./files.ts";

const MAX_KEY = 1_000;

export async function setAccount(context: Context, input: Input): Promise<CertificateAccount> {
  const file = input.text("ca-root");
  const [directory, email, eabKid] = [input.text("directory"), input.text("email"), input.text("eab-kid")];
  if (eabKid !== undefined && eabKid !== "" && !input.flag("eab-key-stdin"))
    throw usage("--eab-kid needs the key of that account: --eab-key-stdin < FILE");
  const root = file === undefined || file === "" ? file : await readGiven("--ca-root", file);
  const eabKey = input.flag("eab-key-stdin") ? (await readStdin(context, MAX_KEY, "key")).trim() : undefined;
  const fields = {
    ...(directory !== undefined && { directory }),
    ...(email !== undefined && { email }),
    ...(root !== undefined && { root }),
    ...(eabKid !== undefined && { eabKid }),
    ...(eabKey !== undefined && { eabKey }),
  };
  if (Object.keys(fields).length === 0)
    throw usage("nothing to set", "ployzctl cert account set --email ADDRESS");
  return (await context.client()).request("PUT /v1/certificate-account", {
    body: { ...fields, by: context.terminal.by },
    signal: context.signal,
  });
}
