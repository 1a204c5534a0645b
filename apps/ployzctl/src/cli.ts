import { errorBody } from "@ployz/errors";
import { COMMANDS } from "./commands/index.ts";
import { type OpenContext, openContext } from "./context.ts";
import type { Document } from "./documents.ts";
import { exitCode } from "./exit.ts";
import { findCommand } from "./find-command.ts";
import type { Mode } from "./output/mode.ts";
import { printDocument, printText } from "./output/print.ts";
import type { Terminal } from "./terminal.ts";
import { installedVersion } from "./version.ts";

/** One run of the program. Resolves with its exit code. */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  if (argv.length === 1 && argv[0] === "--version") {
    printText(terminal, `${installedVersion().version}\n`);
    return 0;
  }
  // Until the flags are read, an error is printed the way that they most likely ask for.
  let mode: Mode = {
    json: argv.includes("--json"),
    plain: argv.includes("--plain"),
    color: false,
    quiet: false,
  };
  let context: OpenContext | undefined;
  try {
    const found = findCommand(COMMANDS, argv);
    if (found.kind === "group") {
      const { groupHelp } = await import("./output/help.ts");
      const text = groupHelp(COMMANDS, found.path);
      if (found.help) printText(terminal, text);
      else terminal.err.write(text);
      return found.help ? 0 : 2;
    }
    const { parseCommandLine } = await import("./parse.ts");
    const { command } = found;
    const { globals, input, help } = parseCommandLine(command, found.rest, terminal.env);
    mode = { ...globals, color: globals.color && terminal.out.tty };
    if (help) {
      const { commandHelp } = await import("./output/help.ts");
      printText(terminal, commandHelp(command));
      return 0;
    }
    context = openContext(COMMANDS, globals, terminal);
    const document = await command.run(context, input);
    context.progress.end();
    await printDocument(terminal, mode, document);
    return exitCode(document);
  } catch (error) {
    context?.progress.end();
    const document: Document = { kind: "error", error: context?.explain(error) ?? errorBody(error) };
    await printDocument(terminal, mode, document);
    if (
      document.error.code === "internal" &&
      error instanceof Error &&
      terminal.env.PLOYZ_DEBUG !== undefined
    )
      terminal.err.write(`${error.stack}\n`);
    return exitCode(document);
  } finally {
    context?.close();
  }
}
