import type { Command } from "../command.ts";
import { GLOBAL_OPTIONS } from "../globals.ts";
import { usageLine } from "../parse.ts";
import { optionRows } from "./help.ts";

/** docs/cli.md: every command, from its definition. */
export function reference(commands: readonly Command[]): string {
  return [
    "# ployzctl",
    "",
    "Written from the command definitions: `pnpm --filter @ployz/ployzctl docs`.",
    "",
    "```",
    "ployzctl [global flags] COMMAND [arguments] [flags]",
    "```",
    "",
    "## Global flags",
    "",
    "Before or after the command. `--json` and `--plain` exclude each other.",
    "",
    ...table(optionRows(GLOBAL_OPTIONS)),
    "",
    "## Exit codes",
    "",
    "| code | meaning |",
    "|---|---|",
    ...EXIT_CODES.map(([code, meaning]) => `| ${code} | ${meaning} |`),
    "",
    'With `--json`, an error is `{"kind": "error", "error": {"code", "message", "hint"}}` on stdout; the codes are in [errors.md](errors.md).',
    "",
    "## Commands",
    ...commands.flatMap(section),
    "",
  ].join("\n");
}

const EXIT_CODES = [
  ["0", "done"],
  ["1", "the operation failed; what it had done is undone"],
  ["2", "a mistake in the command, the manifest or the configuration; nothing was attempted"],
  ["3", "a precondition is not met; nothing was changed"],
  ["4", "the daemon, a machine or the store was not reachable"],
  ["5", "the outcome is committed, but cleanup is owed or still going on"],
  ["130", "aborted by the operator, and undone"],
] as const;

function section(command: Command): readonly string[] {
  const args = (command.args ?? []).map(({ name, summary }) => [name.toUpperCase(), summary] as const);
  const rows = [...args, ...optionRows(command.options ?? {})];
  return [
    "",
    `### ${command.path.join(" ")}`,
    "",
    `${command.summary}.`,
    "",
    "```",
    `${usageLine(command)}${command.options === undefined ? "" : " [flags]"}`,
    ...(command.examples ?? []).map((line) => `# ${line}`),
    "```",
    ...(command.details === undefined ? [] : ["", command.details]),
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
