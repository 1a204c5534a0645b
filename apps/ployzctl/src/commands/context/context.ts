import type { Context, Input } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { needLabel } from "../../names.ts";
import { contextsPath, LOCAL, needContext, readContexts, writeContexts } from "../../remote/contexts.ts";
import type { ContextDocument, ContextList, ContextRemoved } from "../../remote/documents.ts";
import { hostText, needHost } from "../../remote/host.ts";
import {
  forgetToken,
  isTokenHost,
  keepToken,
  keptToken,
  tokenHost,
  tokenPath,
} from "../../remote/token-files.ts";
import { readStdin } from "../../stdin.ts";

const MAX_HOSTS = 16;

export async function add(context: Context, input: Input): Promise<ContextDocument> {
  const name = await needLabel("NAME", input.argument("name"));
  if (name === LOCAL) throw usage("NAME: local stands for this machine's daemon", "choose another name");
  const given = input.arguments("host");
  if (given.some(isTokenHost)) return addToken(context, name, given);
  const hosts = given.map((host) => hostText(needHost("HOST", host)));
  if (hosts.length > MAX_HOSTS) throw usage(`HOST: more than ${MAX_HOSTS} hosts`);
  if (new Set(hosts).size < hosts.length) throw usage("HOST: the same host twice", "name it once");
  return put(context, name, hosts);
}

/** Of a token in a file, which is read where it is, or on stdin, which is kept beside the contexts. */
async function addToken(context: Context, name: string, given: readonly string[]): Promise<ContextDocument> {
  const [host = ""] = given;
  if (given.length > 1) throw usage("HOST: a token is the only host of its context");
  const from = tokenPath("HOST", host);
  const { needToken } = await import("../../remote/token.ts");
  if (from !== "-") {
    const { readToken } = await import("../../remote/token-files.ts");
    needToken(from, await readToken(from));
    return put(context, name, [tokenHost(from)]);
  }
  if (context.terminal.stdinTty) throw usage("HOST: token://- reads the token from stdin", "< token");
  const text = await readStdin(context, 20_000, "token");
  needToken("stdin", text);
  const kept = keptToken(contextsPath(context.terminal), name);
  const document = await put(context, name, [tokenHost(kept)]);
  await keepToken(kept, text);
  return document;
}

async function put(context: Context, name: string, hosts: readonly string[]): Promise<ContextDocument> {
  const path = contextsPath(context.terminal);
  const { current, contexts } = await readContexts(path);
  const known = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (known !== undefined && known.join(" ") !== hosts.join(" "))
    throw new PloyzError({
      code: "context_exists",
      message: `context ${name} has other hosts: ${known.join(" ")}`,
      hint: `to replace it: ployzctl context rm ${name}`,
    });
  const all = { ...contexts, [name]: hosts };
  if (known === undefined)
    await writeContexts(path, { contexts: all, ...(current !== undefined && { current }) });
  return { kind: "context", name, hosts, current: current === name };
}

export async function use(context: Context, input: Input): Promise<ContextDocument> {
  const name = input.argument("name") ?? "";
  const path = contextsPath(context.terminal);
  const { current, contexts } = await readContexts(path);
  if (name === LOCAL) {
    if (current !== undefined) await writeContexts(path, { contexts });
    return { kind: "context", name, hosts: [], current: true };
  }
  const hosts = needContext({ contexts }, name);
  if (current !== name) await writeContexts(path, { contexts, current: name });
  return { kind: "context", name, hosts, current: true };
}

export async function list(context: Context): Promise<ContextList> {
  const { current, contexts } = await readContexts(contextsPath(context.terminal));
  const rows = Object.entries(contexts).map(([name, hosts]) => ({ name, hosts, current: name === current }));
  return { kind: "contexts", current: current ?? null, contexts: rows };
}

export async function show(context: Context, input: Input): Promise<ContextDocument> {
  const file = await readContexts(contextsPath(context.terminal));
  const name = input.argument("name") ?? file.current ?? LOCAL;
  if (name === LOCAL) return { kind: "context", name, hosts: [], current: file.current === undefined };
  return { kind: "context", name, hosts: needContext(file, name), current: file.current === name };
}

export async function remove(context: Context, input: Input): Promise<ContextRemoved> {
  const name = input.argument("name") ?? "";
  const path = contextsPath(context.terminal);
  const { current, contexts } = await readContexts(path);
  const hosts = needContext({ contexts }, name);
  const rest = Object.fromEntries(Object.entries(contexts).filter(([other]) => other !== name));
  await writeContexts(path, {
    contexts: rest,
    ...(current !== undefined && current !== name && { current }),
  });
  const kept = keptToken(path, name);
  if (hosts.includes(tokenHost(kept))) await forgetToken(kept);
  return { kind: "context-removed", name, current: current === name };
}
