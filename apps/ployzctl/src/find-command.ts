import type { Command } from "./command.ts";
import type { PloyzError } from "./error-codes.ts";
import { usage } from "./errors.ts";
import { GLOBAL_OPTIONS } from "./globals.ts";
import { nearest } from "./nearest.ts";

/** Another name of the same noun. */
const ALIASES: Readonly<Record<string, string>> = { network: "mesh" };

export type Found =
  | { readonly kind: "command"; readonly command: Command; readonly rest: readonly string[] }
  /** A noun alone, or nothing: what it has is shown. */
  | { readonly kind: "group"; readonly path: readonly string[]; readonly help: boolean };

/**
 * Which command the words name, and what is left for it. Only global flags may stand before the command's last word.
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
    const word = words.length === 0 ? (ALIASES[token] ?? token) : token;
    if (!commands.some(({ path }) => startsWith(path, [...words, word]))) break;
    words.push(word);
  }
  const rest = [...before, ...argv.slice(at)];
  const command = commands.find(({ path }) => path.length === words.length && startsWith(path, words));
  if (command !== undefined) return { kind: "command", command, rest };
  const help = rest.some((token) => token === "--help" || token === "-h");
  const next = argv[at];
  if (help || next === undefined) return { kind: "group", path: words, help };
  throw unknown(commands, words, next);
}

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
  const near = nearest(next, [...new Set(siblings)]);
  return usage(
    `unknown command: ${JSON.stringify([...words, next.slice(0, 60)].join(" "))}`,
    near === undefined ? `${group} --help` : `did you mean ${[group, near].join(" ")}?`,
  );
}
