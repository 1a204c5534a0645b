import type { Command, Group } from "../command.ts";
import { ENVIRONMENT } from "../environment.ts";
import { GLOBAL_OPTIONS } from "../globals.ts";
import { usageLine } from "../parse.ts";
import { argumentRows, optionRows } from "./help.ts";

/** docs/cli.md: every command, from its definition. */
export function reference(groups: readonly Group[], commands: readonly Command[]): string {
  return [
    "# ployzctl",
    "",
    "Generated from the command definitions: `pnpm --filter @ployz/ployzctl docs`.",
    "",
    "```",
    "ployzctl [global flags] COMMAND [arguments] [flags]",
    "```",
    "",
    "`ls` is also `list`; `rm` is also `remove` and `delete`. `ployzctl help COMMAND` is `ployzctl COMMAND --help`, and `ployzctl -V` is",
    "`ployzctl --version`; with `--json` it prints a document.",
    "",
    "## Global flags",
    "",
    "Before or after the command. `--json` and `--plain` exclude each other.",
    "",
    ...table(optionRows(GLOBAL_OPTIONS)),
    "",
    "## Environment",
    "",
    ...table(Object.entries(ENVIRONMENT)),
    "",
    "## Exit codes",
    "",
    "| code | meaning |",
    "|---|---|",
    ...EXIT_CODES.map(([code, meaning]) => `| ${code} | ${meaning} |`),
    "",
    "## JSON",
    "",
    "With `--json`, stdout has one document, told apart by its `kind`: one of those that the command lists, or an error,",
    '`{"kind": "error", "error": {"code", "message", "hint"}}`; the codes are in [errors.md](errors.md). `ployzctl schema` prints the JSON Schema',
    "of all of them, [ployzctl.schema.json](../apps/ployzctl/schema/ployzctl.schema.json). Within a minor version, fields, kinds and values of an",
    "enumeration may be added, and none is removed or changes its meaning: ignore what you do not know.",
    ...groups.flatMap(({ title, nouns }) => [
      "",
      `## ${title}`,
      ...commands.filter(({ path }) => path[0] in nouns).flatMap(section),
    ]),
    "",
  ].join("\n");
}

export const EXIT_CODES = [
  ["0", "done"],
  ["1", "the operation failed and was undone"],
  ["2", "error in the command, the manifest or the configuration; nothing was attempted"],
  ["3", "a precondition is not met; nothing was changed"],
  ["4", "the daemon, a machine or the store was not reachable"],
  ["5", "committed, but cleanup is owed or still running; or not known yet: the operation may still commit"],
  ["130", "aborted by the operator and undone"],
] as const;

function section(command: Command): readonly string[] {
  const { path, aliases = [], summary, details = [], examples, options = {}, prints } = command;
  const rows = [...argumentRows(command), ...optionRows(options)];
  const others = aliases.map((alias) => `\`${alias.join(" ")}\``).join(", ");
  return [
    "",
    `### ${path.join(" ")}`,
    "",
    `${summary}.${others === "" ? "" : ` Alias: ${others}.`}`,
    "",
    "```",
    usageLine(command),
    ...examples.map((line) => `# ${line}`),
    "```",
    ...details.flatMap((text) => ["", text]),
    "",
    `JSON: ${prints.map((kind) => `\`${kind}\``).join(", ")}.`,
    ...(rows.length === 0 ? [] : ["", ...table(rows)]),
  ];
}

const table = (rows: readonly (readonly [string, string])[]): readonly string[] => [
  "| | |",
  "|---|---|",
  ...rows.map(
    ([name, summary]) => `| \`${name.replaceAll("|", "\\|")}\` | ${summary.replaceAll("|", "\\|")} |`,
  ),
];
