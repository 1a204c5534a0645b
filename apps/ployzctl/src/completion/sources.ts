import { access } from "node:fs/promises";
import type { Source } from "../command.ts";
import { contextsPath, LOCAL, readContexts } from "../remote/contexts.ts";
import { findDestination } from "../remote/destination.ts";
import { loadSettings } from "../settings.ts";
import type { Terminal } from "../terminal.ts";
import type { Candidate } from "./candidates.ts";

/** From the daemon of this machine only: a connection over SSH would take too long. */
export async function sourceNames(
  source: Exclude<Source, "file">,
  words: readonly string[],
  terminal: Terminal,
): Promise<readonly Candidate[]> {
  if (source === "context") {
    const { contexts } = await readContexts(contextsPath(terminal));
    return [
      ...Object.entries(contexts).map(([value, hosts]) => ({ value, summary: hosts.join(" ") })),
      { value: LOCAL },
    ];
  }
  if ((terminal.env.PLOYZ_HOST ?? "") !== "") return [];
  const given = (flag: string) => {
    const at = words.findIndex((word) => word.split("=")[0] === flag);
    return words[at]?.includes("=") ? words[at].slice(flag.length + 1) : at < 0 ? undefined : words[at + 1];
  };
  const [config, socket] = [given("--config"), given("--socket")];
  const host = given("--host") ?? given("-H");
  const context = given("--context") ?? terminal.env.PLOYZ_CONTEXT;
  if ((await findDestination({ host, context, socket, config }, terminal)) !== undefined) return [];
  const settings = await loadSettings({ config, socket, dataDir: undefined }, terminal);
  await access(settings.socket); // without a daemon, its client need not be loaded
  const { daemonNames } = await import("./names.ts");
  return daemonNames(settings.socket, source);
}
