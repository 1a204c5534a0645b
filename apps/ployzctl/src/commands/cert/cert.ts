import { EXIT } from "@ployz/primitives/client";
import type { CertificateList, CertificateRow } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { exitCode } from "../../exit.ts";
import { change, changeAfterAsking } from "../../operation/change.ts";
import type { Outcome } from "../../operation/follow.ts";
import { readStdin } from "../../stdin.ts";
import { readGiven } from "./files.ts";
import { asciiHost } from "./host.ts";

const MAX_KEY = 20_000;

export async function issue(context: Context, input: Input): Promise<Outcome> {
  const names = input.arguments("names").map((name) => asciiHost("NAME", name));
  const [provider, secret] = [input.text("dns"), input.text("secret")];
  if ((provider === undefined) !== (secret === undefined))
    throw usage("--dns PROVIDER and --secret NAMESPACE/SECRET belong together");
  const challenge = input.text("challenge") as "http-01" | "tls-alpn-01" | undefined;
  if (challenge !== undefined && provider !== undefined)
    throw usage("--challenge and --dns exclude each other");
  return change(
    context,
    {
      primitive: "cert-issue",
      input: {
        names,
        ...(input.flag("staging") && { staging: true }),
        ...(input.flag("force") && { force: true }),
        ...(challenge !== undefined && { challenge }),
        ...(provider !== undefined && secret !== undefined && { dns: { provider, secret } }),
      },
    },
    input.flag("preview"),
  );
}

export async function importFiles(context: Context, input: Input): Promise<Outcome> {
  const name = asciiHost("NAME", input.argument("name"));
  const [file, keyFile] = [input.text("cert"), input.text("key")];
  if (file === undefined)
    throw usage("--cert FILE is missing", `ployzctl cert import ${name} --cert FILE --key FILE`);
  if ((keyFile === undefined) !== input.flag("key-stdin"))
    throw usage("one of --key FILE and --key-stdin is needed", "the key is PEM without a passphrase");
  const chain = await readGiven("--cert", file);
  const key =
    keyFile === undefined ? await readStdin(context, MAX_KEY, "key") : await readGiven("--key", keyFile);
  const client = await context.client();
  const { signal, terminal } = context;
  const { sealed } = await client.request("POST /v1/certificates", {
    body: { name, chain, key, by: terminal.by },
    signal,
  });
  const preview = input.flag("preview");
  // Also after Ctrl-C.
  const forget = () =>
    client.request("DELETE /v1/certificates/:sealed", { params: { sealed } }).catch(() => undefined);
  try {
    const outcome = await change(context, { primitive: "cert-import", input: { name, sealed } }, preview);
    if (preview || !mayServe(outcome)) await forget();
    return outcome;
  } catch (error) {
    await forget();
    throw error;
  }
}

/** Whether the operation has committed the upload, or may do so yet. */
const mayServe = (outcome: Outcome): boolean =>
  outcome.kind === "detached" ||
  (outcome.kind === "operation" &&
    outcome.changed &&
    outcome.state !== "failed" &&
    outcome.state !== "aborted");

export const list = async (context: Context): Promise<CertificateList> =>
  (await context.client()).request("GET /v1/certificates", { signal: context.signal });

export async function show(context: Context, input: Input): Promise<CertificateList> {
  return { kind: "certificates", certificates: [await needed(context, input.argument("name"))] };
}

async function needed(context: Context, given: string | undefined): Promise<CertificateRow> {
  const name = asciiHost("NAME", given);
  const { certificates } = await list(context);
  const found = certificates.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw new PloyzError({
    code: "certificate_missing",
    message: `the cluster has no certificate ${name}`,
    hint: "ployzctl cert ls",
  });
}

/** One operation each, one after the other: an authority limits orders. The first that fails is the result; the others are tried. */
export async function renew(context: Context, input: Input): Promise<CertificateList | Outcome> {
  const name = input.argument("name");
  if (name !== undefined && input.flag("all")) throw usage("NAME and --all exclude each other");
  if (name === undefined && !input.flag("all"))
    throw usage("name a certificate, or pass --all", "ployzctl cert ls lists them");
  const one = name === undefined ? undefined : await needed(context, name);
  if (one?.method === "import")
    throw new PloyzError({
      code: "certificate_missing",
      message: `${one.name} was imported, so that it has no authority to renew it`,
      hint: `import the new one: ployzctl cert import ${one.name} --cert FILE --key FILE`,
    });
  const all = one === undefined ? (await list(context)).certificates : [one];
  const wanted = all.filter(
    ({ method, state }) => method !== "import" && (input.flag("force") || state !== "valid"),
  );
  if (wanted.length === 0 && all.length > 0)
    context.progress.note("nothing is due: more than a third of the lifetime is left; --force renews it");
  const preview = input.flag("preview");
  const failures: Outcome[] = [];
  const plans: Outcome[] = [];
  for (const { name: certificate, names, fingerprint, challenge } of wanted) {
    const others = names.filter((other) => other !== certificate);
    const renewal = {
      names: [certificate, ...others],
      replaces: fingerprint,
      ...(challenge && { challenge }),
    };
    const outcome = await change(context, { primitive: "cert-issue", input: renewal }, preview);
    if (outcome.kind === "detached") return outcome;
    if (exitCode(outcome) !== EXIT.done) failures.push(outcome);
    else if (outcome.kind === "plan") plans.push(outcome);
  }
  const [failure] = failures;
  if (failure !== undefined) return failure;
  const [plan] = plans;
  if (plan !== undefined && plans.length === 1) return plan;
  if (preview) {
    context.progress.note(`${wanted.length} would be renewed; nothing has changed yet`);
    return { kind: "certificates", certificates: wanted };
  }
  const names = new Set(all.map((row) => row.name));
  return {
    kind: "certificates",
    certificates: (await list(context)).certificates.filter((row) => names.has(row.name)),
  };
}

export async function remove(context: Context, input: Input): Promise<Outcome> {
  const name = asciiHost("NAME", input.argument("name"));
  return changeAfterAsking(
    context,
    { primitive: "cert-rm", input: { name } },
    { input, question: `remove the certificate ${name}?` },
  );
}
