import { access } from "node:fs/promises";
import type { Command } from "../command.ts";
import { contextsPath, LOCAL, readContexts } from "../remote/contexts.ts";
import { findDestination } from "../remote/destination.ts";
import { loadSettings } from "../settings.ts";
import type { Terminal } from "../terminal.ts";
import { type Candidate, type Wanted, wantedAt } from "./candidates.ts";

/** The line by which a shell knows to complete the names of files itself. */
export const FILES = ":files";

/**
 * `ployzctl __complete WORDS`: one line for each candidate at the last word, its summary after a tab. Prints no error: a shell that
 * completes has no place for one.
 */
export async function complete(
  commands: readonly Command[],
  words: readonly string[],
  terminal: Terminal,
): Promise<string> {
  const current = words.at(-1) ?? "";
  const wanted = wantedAt(commands, words.slice(0, -1), current);
  const rows = [...wanted.candidates, ...(await names(wanted, words, terminal).catch(() => []))]
    .map(({ value, summary }) => ({ value: `${wanted.prefix}${value}`, summary }))
    .filter(({ value }) => value.startsWith(current));
  const lines = rows.map(({ value, summary }) => (summary === undefined ? value : `${value}\t${summary}`));
  if (wanted.source === "file") lines.push(FILES);
  return lines.map((line) => `${line.replaceAll(/(?!\t)\p{Cc}/gu, " ")}\n`).join("");
}

/** From the daemon of this machine only: a connection over SSH would take too long. */
async function names(
  { source }: Wanted,
  words: readonly string[],
  terminal: Terminal,
): Promise<readonly Candidate[]> {
  if (source === undefined || source === "file") return [];
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
