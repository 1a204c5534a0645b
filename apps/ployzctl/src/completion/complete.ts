import type { Command } from "../command.ts";
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

async function names(
  { source }: Wanted,
  words: readonly string[],
  terminal: Terminal,
): Promise<readonly Candidate[]> {
  if (source === undefined || source === "file") return [];
  const { sourceNames } = await import("./sources.ts"); // most words need none
  return sourceNames(source, words, terminal);
}
