import type { Globals } from "../settings.ts";
import type { Terminal } from "../terminal.ts";
import { contextsPath, LOCAL, needContext, readContexts } from "./contexts.ts";

/** Machines that reach one cluster, in the order in which they are tried. */
export interface Destination {
  /** Of the context, or the host itself. */
  readonly name: string;
  readonly hosts: readonly string[];
}

/**
 * Where a run's daemon is; undefined for this machine's own. Flags win over variables, and both over the context in use, which `own`
 * leaves out.
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
  }
  const file = await readContexts(contextsPath(terminal));
  const name = context ?? file.current;
  return name === undefined ? undefined : { name, hosts: needContext(file, name) };
}
