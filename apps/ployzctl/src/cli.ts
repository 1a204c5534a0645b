import { errorBody } from "@ployz/errors";
import { COMMANDS } from "./commands/index.ts";
import { type OpenContext, openContext } from "./context.ts";
import type { Document } from "./documents.ts";
import { exitCode } from "./exit.ts";
import { findCommand } from "./find-command.ts";
import { GROUPS } from "./groups.ts";
import type { Mode } from "./output/mode.ts";
import { printDocument, printText } from "./output/print.ts";
import { needLinux } from "./settings.ts";
import type { Terminal } from "./terminal.ts";
import { namedAsTyped } from "./typed.ts";
import { versionText } from "./version.ts";

/** Their commands are about this machine, whatever context is in use. */
const OWN = ["daemon", "dev"];

/** One run of the program. Resolves with its exit code. */
export async function runCli(
  argv: readonly string[],
  terminal: Terminal,
  print = printDocument,
): Promise<number> {
  const version = versionText(argv);
  if (version !== undefined) {
    printText(terminal, version);
    return 0;
  }
  if (argv[0] === "dial-stdio") {
    const { dialStdio } = await import("./remote/dial-stdio.ts");
    return dialStdio(terminal);
  }
  if (argv[0] === "__complete") {
    const { completed } = await import("./completed.ts");
    printText(terminal, await completed(argv.slice(1), terminal));
    return 0;
  }
  if (argv[0] === "__man") {
    const { writeManPages } = await import("./man.ts");
    await writeManPages(argv[1] ?? ".");
    return 0;
  }
  // For errors in the flags themselves.
  let mode: Mode = {
    json: argv.includes("--json"),
    plain: argv.includes("--plain"),
    color: "never",
    quiet: false,
    wide: false,
  };
  let context: OpenContext | undefined;
  let named = (document: Document): Document => document;
  try {
    const found = findCommand(COMMANDS, argv);
    if (found.kind === "group") {
      const { groupHelp, helpWidth, topHelp } = await import("./output/help.ts");
      const width = helpWidth(terminal.out.columns);
      const text =
        found.path.length === 0 ? topHelp(GROUPS, COMMANDS, width) : groupHelp(COMMANDS, found.path, width);
      if (found.help) printText(terminal, text);
      else terminal.err.write(text);
      return found.help ? 0 : 2;
    }
    const { parseCommandLine } = await import("./parse.ts");
    const { command } = found;
    const { globals, input, help } = parseCommandLine(command, found.rest, terminal.env);
    mode = globals;
    named = (document) => namedAsTyped(command, input, document);
    if (help) {
      const { commandHelp, helpWidth } = await import("./output/help.ts");
      printText(terminal, commandHelp(COMMANDS, command, helpWidth(terminal.out.columns)));
      return 0;
    }
    const own = OWN.includes(command.path[0]);
    if (command.path[0] === "daemon") needLinux(terminal, command.path.join(" "));
    context = openContext(globals, terminal, own);
    const document = named(await command.run(context, input));
    context.progress.end();
    await print(terminal, mode, document);
    return exitCode(document);
  } catch (error) {
    context?.progress.end();
    const body = context?.explain(error) ?? errorBody(error);
    const document = named({ kind: "error", error: body });
    await print(terminal, mode, document);
    if (body.code === "internal" && error instanceof Error && terminal.env.PLOYZ_DEBUG !== undefined)
      terminal.err.write(`${error.stack}\n`);
    return exitCode(document);
  } finally {
    context?.close();
  }
}
