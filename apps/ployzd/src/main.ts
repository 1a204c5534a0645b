import { parseArgs } from "node:util";
import { type ErrorEntry, errorBody, SHARED_ERRORS } from "@ployz/errors";
import { takeNotifier } from "@ployz/exec";
import { pino } from "pino";
import { configPath, loadConfig } from "./config/load.ts";
import { PloyzError } from "./error-codes.ts";
import { endProcess } from "./exit.ts";

const USAGE = "usage: ployzd run|gateway|dns|swap|check [--config FILE]";

const COMMANDS = ["run", "gateway", "dns", "swap", "check"] as const;
const isCommand = (text: string | undefined): text is (typeof COMMANDS)[number] =>
  COMMANDS.some((one) => one === text);

function commandLine(): { readonly command: (typeof COMMANDS)[number]; readonly config: string | undefined } {
  try {
    const { values, positionals } = parseArgs({
      options: { config: { type: "string" } },
      allowPositionals: true,
    });
    const [command, ...more] = positionals;
    if (isCommand(command) && more.length === 0) return { command, config: values.config };
  } catch {} // an unknown flag: the usage says which there are
  throw new PloyzError({ code: "usage", message: USAGE });
}

/** Each entry point loads only what it runs: three of these processes live on every machine. */
async function main(): Promise<void> {
  const { config: file, command } = commandLine();
  const root = process.getuid?.() === 0;
  const config = await loadConfig(configPath(file, process.env, root), process.env, root);
  if (command === "check") return endProcess(0); // the configuration is good; nothing is started
  const log = pino({ name: `ployzd-${command}`, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  if (command === "swap") {
    const { runSwap } = await import("./participant/update/swap.ts");
    await runSwap(config, log);
    return endProcess(0);
  }
  const supervisor = takeNotifier(process.env, (error) => log.warn({ err: error }, "systemd-notify"));
  const close = await start(command);
  void supervisor.ready();
  let ending = false;
  const end = (signal: string) => {
    if (ending) return;
    ending = true;
    log.info({ signal }, "ending");
    // Does not touch the data plane; a close that hangs must not keep a dead daemon's socket.
    setTimeout(() => endProcess(0), 3_000).unref();
    close().then(
      () => endProcess(0),
      (error: unknown) => {
        log.error({ err: error }, "ending");
        endProcess(1);
      },
    );
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);

  async function start(name: "run" | "gateway" | "dns"): Promise<() => Promise<void>> {
    if (name === "run") {
      const { runDaemon } = await import("./run.ts");
      return runDaemon(config, log);
    }
    const { runFollower } = await import("./follower/run.ts");
    if (name === "gateway") {
      const { serveGateway } = await import("./follower/gateway.ts");
      return runFollower("gateway", config, log, serveGateway);
    }
    const { serveDns } = await import("./follower/dns.ts");
    return runFollower("dns", config, log, serveDns);
  }
}

main().catch((error: unknown) => {
  const { code, message, hint } = errorBody(error);
  process.stderr.write(`ployzd: ${message} (${code})${hint === undefined ? "" : `\n${hint}`}\n`);
  if (code === "internal" && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  const known: Readonly<Record<string, ErrorEntry>> = SHARED_ERRORS;
  endProcess(known[code]?.exit ?? 1);
});
