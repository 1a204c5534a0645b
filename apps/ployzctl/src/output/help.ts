import type { Command, Group, Option } from "../command.ts";
import { GLOBAL_OPTIONS } from "../globals.ts";
import { usageLine } from "../parse.ts";
import { columns, wrap } from "./wrap.ts";

/** Help is for reading: at most 80 columns, also on a wide terminal. */
export const helpWidth = (terminalColumns: number): number => Math.max(40, Math.min(80, terminalColumns));

type Rows = readonly (readonly [string, string])[];

const section = (title: string, rows: Rows, width: number): readonly string[] =>
  rows.length === 0 ? [] : ["", `${title}:`, ...columns(rows, width)];

export function commandHelp(commands: readonly Command[], command: Command, width: number): string {
  const { summary, details = [], aliases = [], options = {}, examples } = command;
  const below = commandsBelow(commands, command.path).filter((one) => one !== command);
  return [
    ...wrap(`${summary}.`, width),
    "",
    ...wrap(`Usage: ${usageLine(command)}`, width),
    ...(aliases.length === 0 ? [] : [`Alias: ${aliases.map((path) => path.join(" ")).join(", ")}`]),
    ...details.flatMap((text) => ["", ...wrap(text, width)]),
    ...section("Commands", verbRows(below, command.path), width),
    ...section("Arguments", argumentRows(command), width),
    ...section("Flags", optionRows(options), width),
    ...section("Global flags", optionRows(globalsOf(command)), width),
    "",
    examples.length === 1 ? "Example:" : "Examples:",
    ...examples.map((line) => `  ${line}`),
    "",
  ].join("\n");
}

/** The summary of a noun: its own, or that of the command of the same name. */
export const summaryOf = (groups: readonly Group[], commands: readonly Command[], noun: string): string =>
  groups.find(({ nouns }) => noun in nouns)?.nouns[noun] ??
  commands.find(({ path }) => path.join(" ") === noun)?.summary ??
  "";

/** Nouns by group. */
export function topHelp(groups: readonly Group[], commands: readonly Command[], width: number): string {
  const nouns = groups.flatMap((group) => Object.keys(group.nouns));
  const longest = Math.max(...nouns.map((noun) => noun.length));
  return [
    "Ployz: orchestration for 1 to 200 machines, one command at a time.",
    "",
    "Usage: ployzctl [global flags] COMMAND [arguments] [flags]",
    ...groups.flatMap((group) =>
      section(
        group.title,
        Object.keys(group.nouns).map((noun) => [noun.padEnd(longest), summaryOf(groups, commands, noun)]),
        width,
      ),
    ),
    ...section(
      "Global flags",
      [...optionRows(GLOBAL_OPTIONS), ["-V, --version", "Print the version"]],
      width,
    ),
    "",
    "Help for a command: ployzctl COMMAND --help, or ployzctl help COMMAND",
    "",
  ].join("\n");
}

const commandsBelow = (commands: readonly Command[], path: readonly string[]): readonly Command[] =>
  commands.filter((command) => path.every((word, index) => command.path[index] === word));

const verbRows = (commands: readonly Command[], below: readonly string[]): Rows =>
  commands.map(({ path, summary }) => [path.slice(below.length).join(" "), summary] as const);

/** The commands of a noun. */
export function groupHelp(commands: readonly Command[], path: readonly string[], width: number): string {
  const inside = commandsBelow(commands, path);
  return [
    `Usage: ployzctl ${path.join(" ")} COMMAND [arguments] [flags]`,
    ...section("Commands", verbRows(inside, path), width),
    "",
    ...wrap(`Help for a command: ployzctl ${inside[0]?.path.join(" ")} --help`, width),
    "",
  ].join("\n");
}

export const argumentRows = ({ args = [] }: Command): Rows =>
  args.map(({ name, summary }) => [name.toUpperCase(), summary] as const);

/** The global flags that the command does not replace with its own. */
const globalsOf = ({ options = {} }: Command): Readonly<Record<string, Option>> =>
  Object.fromEntries(Object.entries(GLOBAL_OPTIONS).filter(([name]) => !(name in options)));

export const optionRows = (options: Readonly<Record<string, Option>>): Rows =>
  Object.entries(options).map(([name, { short, aliases = [], value, type, summary, choices }]) => {
    const shown = choices?.join("|") ?? value ?? type.toUpperCase();
    const names = [
      ...(short === undefined ? [] : [`-${short}`]),
      ...[name, ...aliases].map((one) => `--${one}`),
    ];
    return [
      `${names.join(", ")}${type === "flag" ? "" : ` ${shown}`}`,
      `${summary}${type === "list" ? " (repeatable)" : ""}`,
    ] as const;
  });
