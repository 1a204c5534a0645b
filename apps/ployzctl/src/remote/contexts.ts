import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { PloyzError } from "../error-codes.ts";
import type { Terminal } from "../terminal.ts";
import { needHost } from "./host.ts";
import { isTokenHost, tokenPath } from "./token-files.ts";

/** The name that stands for this machine's own daemon. */
export const LOCAL = "local";

export interface Contexts {
  readonly current?: string;
  /** Hosts of each cluster, in the order in which they are tried. */
  readonly contexts: Readonly<Record<string, readonly string[]>>;
}

export const contextsPath = ({ env }: Pick<Terminal, "env">): string =>
  join(env.XDG_CONFIG_HOME ?? join(env.HOME ?? homedir(), ".config"), "ployz/contexts.toml");

const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A missing file holds no context. @throws PloyzError `config_invalid`. */
export async function readContexts(path: string): Promise<Contexts> {
  const wrong = (what: string) =>
    new PloyzError({
      code: "config_invalid",
      message: `${path}: ${what}`,
      hint: `correct or remove ${path}`,
    });
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return "";
    throw wrong(`cannot be read (${error.code})`);
  });
  if (text.trim() === "") return { contexts: {} };
  const { parse } = await import("smol-toml");
  const file = parsed(() => parse(text), wrong);
  const tables = file.contexts ?? {};
  if (!isTable(tables)) throw wrong("contexts is not a table");
  const contexts = Object.fromEntries(
    Object.entries(tables).map(([name, table]) => {
      const hosts = isTable(table) ? table.hosts : undefined;
      if (!isHosts(hosts)) throw wrong(`contexts.${name}.hosts is not a list of hosts`);
      const field = `${path}: contexts.${name}.hosts`;
      if (hosts.some(isTokenHost) && hosts.length > 1)
        throw wrong(`contexts.${name}.hosts has a token and hosts`);
      for (const host of hosts)
        if (isTokenHost(host)) tokenPath(field, host);
        else needHost(field, host);
      return [name, hosts];
    }),
  );
  const { current } = file;
  if (current !== undefined && (typeof current !== "string" || !Object.hasOwn(contexts, current)))
    throw wrong(`current names no context: ${JSON.stringify(current)}`);
  return { contexts, ...(current !== undefined && { current }) };
}

function parsed(read: () => unknown, wrong: (what: string) => Error): Record<string, unknown> {
  try {
    const file = read();
    if (isTable(file)) return file;
  } catch (error) {
    throw wrong((error as Error).message.split("\n")[0] ?? "not TOML");
  }
  throw wrong("not a table");
}

const isHosts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === "string");

export async function writeContexts(path: string, { current, contexts }: Contexts): Promise<void> {
  const { stringify } = await import("smol-toml");
  const tables = Object.fromEntries(Object.entries(contexts).map(([name, hosts]) => [name, { hosts }]));
  const text = stringify({ ...(current !== undefined && { current }), contexts: tables });
  const { writeFileAtomic } = await import("@ployz/exec"); // every command reads contexts, and few write them
  await writeFileAtomic(path, `${text.trimEnd()}\n`);
}

/** The hosts of a context. @throws PloyzError `context_unknown`. */
export function needContext({ contexts }: Contexts, name: string): readonly string[] {
  const hosts = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (hosts !== undefined) return hosts;
  throw new PloyzError({
    code: "context_unknown",
    message: `there is no context ${JSON.stringify(name.slice(0, 60))}`,
    hint: "ployzctl context ls; to add one: ployzctl context add NAME ssh://user@machine",
  });
}
