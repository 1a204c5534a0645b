import type { Command, Group } from "../command.ts";
import { ENVIRONMENT } from "../environment.ts";
import { GLOBAL_OPTIONS } from "../globals.ts";
import { usageLine } from "../parse.ts";
import { argumentRows, optionRows, summaryOf } from "./help.ts";
import { EXIT_CODES } from "./reference.ts";

/** Manual pages by file name, in the roff of man(7): ployzctl.1, and one for each noun. */
export function manPages(
  groups: readonly Group[],
  commands: readonly Command[],
): Readonly<Record<string, string>> {
  const nouns = groups.flatMap((group) => Object.keys(group.nouns));
  const noun = (name: string) =>
    page(`ployzctl-${name}`, summaryOf(groups, commands, name), [
      ...commands.filter(({ path }) => path[0] === name).flatMap(commandSection),
      ...seeAlso(["ployzctl"]),
    ]);
  const top = page("ployzctl", "Orchestrate clusters of 1 to 200 machines, one command at a time", [
    ".SH SYNOPSIS",
    escaped("ployzctl [global flags] COMMAND [arguments] [flags]"),
    ...groups.flatMap(({ title, nouns: own }) => [
      `.SH ${title.toUpperCase()}`,
      ...terms(Object.keys(own).map((name) => [`ployzctl ${name}`, summaryOf(groups, commands, name)])),
    ]),
    ".SH GLOBAL FLAGS",
    ...terms(optionRows(GLOBAL_OPTIONS)),
    ".SH ENVIRONMENT",
    ...terms(Object.entries(ENVIRONMENT)),
    ".SH EXIT STATUS",
    ...terms(EXIT_CODES),
    ...seeAlso(nouns.map((name) => `ployzctl-${name}`)),
  ]);
  return {
    "ployzctl.1": top,
    ...Object.fromEntries(nouns.map((name) => [`ployzctl-${name}.1`, noun(name)])),
  };
}

const page = (name: string, summary: string, body: readonly string[]): string =>
  [
    `.TH ${escaped(name.toUpperCase())} 1 "" Ployz`,
    ".SH NAME",
    `${escaped(name)} \\- ${escaped(summary)}`,
    ...body,
    "",
  ].join("\n");

function commandSection(command: Command): readonly string[] {
  const { summary, details = [], options = {}, examples } = command;
  return [
    `.SH ${escaped(command.path.join(" ").toUpperCase())}`,
    `.B ${escaped(usageLine(command))}`,
    ...[`${summary}.`, ...details].flatMap((text) => [".PP", escaped(text)]),
    ...terms([...argumentRows(command), ...optionRows(options)]),
    ".PP",
    examples.length === 1 ? "Example:" : "Examples:",
    ".PP",
    ".nf",
    ...examples.map((line) => `    ${escaped(line)}`),
    ".fi",
  ];
}

const terms = (rows: readonly (readonly [string, string])[]): readonly string[] =>
  rows.flatMap(([name, text]) => [".TP", `.B ${escaped(name)}`, escaped(text)]);

const seeAlso = (names: readonly string[]): readonly string[] => [
  ".SH SEE ALSO",
  names.map((name) => `.BR ${escaped(name)} (1)`).join(" ,\n"),
];

/** Text for roff: no escape, no request, and dashes that can be copied: groff_char(7). */
const escaped = (text: string): string =>
  text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^(?=[.'])/, "\\&")
    .replaceAll('"', "\\(dq");
