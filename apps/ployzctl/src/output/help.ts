import type { Command, Option } from "../command.ts";
import { GLOBAL_OPTIONS } from "../globals.ts";
import { commandLine, usageLine } from "../parse.ts";

/** What a command does and takes. */
export function commandHelp(command: Command): string {
  const options = optionRows(command.options ?? {});
  const args = (command.args ?? []).map(({ name, summary }) => [name.toUpperCase(), summary] as const);
  return [
    `${command.summary}.`,
    "",
    `usage: ${usageLine(command)}${options.length === 0 ? "" : " [flags]"}`,
    ...(command.details === undefined ? [] : ["", command.details]),
    ...section("", args),
    ...section("flags", options),
    ...section("global flags", optionRows(GLOBAL_OPTIONS)),
    ...(command.examples === undefined ? [] : ["", ...command.examples.map((line) => `  ${line}`)]),
    "",
  ].join("\n");
}

/** The commands of a noun, or all of them. */
export function groupHelp(commands: readonly Command[], path: readonly string[]): string {
  const inside = commands.filter((command) => path.every((word, index) => command.path[index] === word));
  return [
    path.length === 0
      ? "Ployz: orchestration for 1 to 200 machines, one command at a time."
      : `ployzctl ${path.join(" ")}:`,
    ...section(
      "commands",
      inside.map((command) => [command.path.join(" "), command.summary] as const),
    ),
    ...(path.length === 0 ? section("global flags", optionRows(GLOBAL_OPTIONS)) : []),
    "",
    `More about one: ${inside[0] === undefined ? "ployzctl" : commandLine(inside[0])} --help`,
    "",
  ].join("\n");
}

export const optionRows = (
  options: Readonly<Record<string, Option>>,
): readonly (readonly [string, string])[] =>
  Object.entries(options).map(([name, { short, value, type, summary, choices }]) => {
    const shown = choices?.join("|") ?? value ?? type.toUpperCase();
    return [
      `${short === undefined ? "" : `-${short}, `}--${name}${type === "flag" ? "" : ` ${shown}`}`,
      `${summary}${type === "list" ? " (may be repeated)" : ""}`,
    ] as const;
  });

function section(title: string, rows: readonly (readonly [string, string])[]): readonly string[] {
  if (rows.length === 0) return [];
  const width = Math.max(...rows.map(([name]) => name.length));
  const head = title === "" ? [""] : ["", `${title}:`];
  return [...head, ...rows.map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`)];
}
