import { didYouMean } from "@ployz/primitives/client";
import type { Command } from "./command.ts";
import type { PloyzError } from "./error-codes.ts";
import { usage } from "./errors.ts";
import { GLOBAL_OPTIONS } from "./globals.ts";
import { HINTS, MEANINGS, NOUNS, VERBS } from "./synonyms.ts";

export type Found =
  | { readonly kind: "command"; readonly command: Command; readonly rest: readonly string[] }
  /** A noun alone, or nothing: help lists its commands. */
  | { readonly kind: "group"; readonly path: readonly string[]; readonly help: boolean };

/**
 * Which command the words name, and its arguments and flags. Only global flags may stand before the command's last word.
 * @throws PloyzError `usage` for words that name none.
 */
export function findCommand(commands: readonly Command[], argv: readonly string[]): Found {
  const words: string[] = [];
  const before: string[] = [];
  let at = 0;
  for (; at < argv.length; at++) {
    const token = argv[at] ?? "";
    const flag = token.startsWith("-") && token !== "-" ? flagOf(token) : undefined;
    if (token === "--") break;
    if (flag !== undefined) {
      if (flag === "other") break;
      before.push(token);
      if (flag === "value") before.push(...argv.slice(++at, at + 1));
      continue;
    }
    if (token === "help" && words.length === 0) {
      before.push("--help");
      continue;
    }
    const names = [token, (words.length === 0 ? NOUNS : VERBS)[token] ?? token];
    const word = names.find((name) => commands.some((command) => begins(command, [...words, name])));
    if (word === undefined) break;
    words.push(word);
  }
  const rest = [...before, ...argv.slice(at)];
  const command = commands.find((one) =>
    pathsOf(one).some((path) => path.length === words.length && startsWith(path, words)),
  );
  if (command !== undefined) return { kind: "command", command, rest };
  const help = rest.some((token) => token === "--help" || token === "-h");
  const next = argv[at];
  if (next === undefined || next === "--help" || next === "-h") return { kind: "group", path: words, help };
  throw unknown(commands, words, next);
}

const pathsOf = ({ path, aliases = [] }: Command) => [path, ...aliases];
const begins = (command: Command, words: readonly string[]): boolean =>
  pathsOf(command).some((path) => startsWith(path, words));
const startsWith = (path: readonly string[], words: readonly string[]): boolean =>
  words.every((word, index) => path[index] === word);

/** Whether a token before the command's last word is a global flag, and takes the next token. */
function flagOf(token: string): "flag" | "value" | "other" {
  const [name = "", value] = token.replace(/^--?/, "").split("=", 2);
  const entry = Object.entries(GLOBAL_OPTIONS).find(([long, option]) =>
    token.startsWith("--") ? long === name : "short" in option && option.short === name,
  );
  if (entry === undefined) return "other";
  return entry[1].type === "flag" || value !== undefined ? "flag" : "value";
}

function unknown(commands: readonly Command[], words: readonly string[], next: string): PloyzError {
  const group = ["ployzctl", ...words].join(" ");
  if (next.startsWith("-")) {
    return usage(
      words.length === 0
        ? `unknown flag: ${next.slice(0, 60)}`
        : `${group} needs a command before ${next.slice(0, 60)}`,
      `${group} --help`,
    );
  }
  const siblings = commands
    .filter(({ path }) => startsWith(path, words))
    .map(({ path }) => path[words.length] ?? "");
  const meant = siblings.find((verb) => MEANINGS[verb]?.includes(next));
  const near = (words.length > 0 ? meant : undefined) ?? didYouMean(next, [...new Set(siblings)]);
  const hint = words.length === 0 && Object.hasOwn(HINTS, next) ? HINTS[next] : undefined;
  return usage(
    `unknown command: ${JSON.stringify([...words, next.slice(0, 60)].join(" "))}`,
    hint ?? (near === undefined ? `${group} --help` : `did you mean ${[group, near].join(" ")}?`),
  );
}
