import type { Context, Input } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { needLabel } from "../../names.ts";
import { contextsPath, LOCAL, needContext, readContexts, writeContexts } from "../../remote/contexts.ts";
import type { ContextDocument, ContextList, ContextRemoved } from "../../remote/documents.ts";
import { hostText, needSshHost } from "../../remote/host.ts";

const MAX_HOSTS = 16;

export async function add(context: Context, input: Input): Promise<ContextDocument> {
  const name = await needLabel("NAME", input.argument("name"));
  if (name === LOCAL) throw usage("NAME: local stands for this machine's daemon", "choose another name");
  const hosts = input.arguments("host").map((host) => hostText(needSshHost("HOST", host)));
  if (hosts.length > MAX_HOSTS) throw usage(`HOST: more than ${MAX_HOSTS} hosts`);
  if (new Set(hosts).size < hosts.length) throw usage("HOST: the same host twice", "name it once");
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
  needContext({ contexts }, name);
  const rest = Object.fromEntries(Object.entries(contexts).filter(([other]) => other !== name));
  await writeContexts(path, {
    contexts: rest,
    ...(current !== undefined && current !== name && { current }),
  });
  return { kind: "context-removed", name, current: current === name };
}
