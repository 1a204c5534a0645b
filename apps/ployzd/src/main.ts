import { parseArgs } from "node:util";
import { openServiceHost } from "@ployz/exec";
import { pino } from "pino";
import { apiRoutes } from "./api/routes.ts";
import { serveApi } from "./api/server.ts";
import { configPath, loadConfig } from "./config/load.ts";
import { openDaemon } from "./daemon/daemon.ts";
import { loadPayload } from "./daemon/payload.ts";
import { errorBody } from "./errors.ts";
import { serveDns } from "./follower/dns.ts";
import { serveGateway } from "./follower/gateway.ts";
import { runFollower } from "./follower/run.ts";
import { pathsOf } from "./state/paths.ts";

const USAGE = "usage: ployzd run|gateway|dns [--config FILE]";

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { config: { type: "string" } },
    allowPositionals: true,
  });
  const [command] = positionals;
  const log = pino({ name: `ployzd-${command ?? ""}`, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  const config = await loadConfig(
    configPath(values.config, process.env, process.getuid?.() === 0),
    process.env,
    process.getuid?.() === 0,
  );
  const close = await start();
  const end = (signal: string) => {
    log.info({ signal }, "ending");
    // What outlives this process is not touched; a close that hangs must not keep a dead daemon's socket.
    setTimeout(() => process.exit(0), 3_000).unref();
    close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, "ending");
        process.exit(1);
      },
    );
  };
  process.once("SIGTERM", end);
  process.once("SIGINT", end);

  async function start(): Promise<() => Promise<void>> {
    switch (command) {
      case "run": {
        const paths = pathsOf(config);
        const services = await openServiceHost({ dir: paths.services, logDir: paths.serviceLogs });
        const daemon = await openDaemon({ config, paths, payload: await loadPayload(), services }, log);
        const api = await serveApi(config.socket, apiRoutes(daemon), (error, route) => {
          if (errorBody(error).code === "internal") log.error({ err: error, route }, "api");
        });
        log.info({ socket: config.socket }, "ready");
        return async () => {
          await api.close();
          await daemon.close();
        };
      }
      case "gateway":
        return runFollower("gateway", config, log, serveGateway);
      case "dns":
        return runFollower("dns", config, log, serveDns);
      default:
        throw new Error(USAGE);
    }
  }
}

main().catch((error: unknown) => {
  const { code, message, hint } = errorBody(error);
  process.stderr.write(`ployzd: ${message} (${code})${hint === undefined ? "" : `\n${hint}`}\n`);
  if (code === "internal" && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
