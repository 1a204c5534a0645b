import type { Globals } from "../settings.ts";
import type { Terminal } from "../terminal.ts";
import { contextsPath, LOCAL, needContext, readContexts } from "./contexts.ts";
import { isTokenHost, readToken, tokenPath } from "./token-files.ts";

/** Machines that reach one cluster, in the order in which they are tried. */
export interface Destination {
  /** Of the context, or the host itself. */
  readonly name: string;
  readonly hosts: readonly string[];
  /** The text of a token, instead of hosts, and where it was read. */
  readonly token?: { readonly where: string; readonly text: string };
}

/**
 * Where a run's daemon is; undefined for this machine's own. Flags win over variables, and both over the context in use, which `own`
 * leaves out. A token in PLOYZ_TOKEN wins over the context in use.
 */
export async function findDestination(
  { host, context, socket, config }: Pick<Globals, "host" | "context" | "socket" | "config">,
  terminal: Pick<Terminal, "env">,
  own = false,
): Promise<Destination | undefined> {
  if (host !== undefined) return { name: host, hosts: [host] };
  if (context === LOCAL) return undefined;
  if (context === undefined) {
    const named = socket ?? config ?? terminal.env.PLOYZ_SOCKET ?? terminal.env.PLOYZ_CONFIG;
    if (own || named !== undefined) return undefined;
    const text = terminal.env.PLOYZ_TOKEN ?? "";
    if (text !== "") return { name: "PLOYZ_TOKEN", hosts: [], token: { where: "PLOYZ_TOKEN", text } };
  }
  const file = await readContexts(contextsPath(terminal));
  const name = context ?? file.current;
  if (name === undefined) return undefined;
  const hosts = needContext(file, name);
  const [first = ""] = hosts;
  if (!isTokenHost(first)) return { name, hosts };
  const path = tokenPath(`contexts.${name}.hosts`, first);
  return { name, hosts: [], token: { where: path, text: await readToken(path) } };
}
