import { useCompileCache } from "./compile-cache.ts";
import { processTerminal } from "./terminal.ts";
import { versionText } from "./version.ts";

const argv = process.argv.slice(2);
const terminal = processTerminal();
const version = versionText(argv);
// Scripts ask for the version often: nothing else is loaded for it.
if (version !== undefined) terminal.out.write(version);
else {
  useCompileCache(terminal);
  // Nor for a completion: a shell asks at each Tab.
  if (argv[0] === "__complete") {
    const { completed } = await import("./completed.ts");
    terminal.out.write(await completed(argv.slice(1), terminal));
  } else {
    const { runCli } = await import("./cli.ts");
    process.exitCode = await runCli(argv, terminal);
  }
}
