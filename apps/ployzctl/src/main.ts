import { processTerminal } from "./terminal.ts";
import { versionText } from "./version.ts";

const argv = process.argv.slice(2);
const terminal = processTerminal();
const version = versionText(argv);
// Scripts ask for the version often: nothing else is loaded for it.
if (version !== undefined) terminal.out.write(version);
else {
  const { runCli } = await import("./cli.ts");
  process.exitCode = await runCli(argv, terminal);
}
