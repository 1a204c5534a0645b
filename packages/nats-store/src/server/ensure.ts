import { mkdir, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import {
  ExecError,
  readFileIfThere,
  run,
  type ServiceHost,
  type ServiceSpec,
  waitFor,
  writeFileAtomic,
} from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import { newSealKey } from "../vault.ts";
import { files, renderConfig, type ServerMode, type StoreServerConfig } from "./config.ts";
import { exclusively } from "./lock.ts";
import { monitor, type ServerState } from "./monitor.ts";
import type { StoreUser } from "./permissions.ts";
import { entryToRun, type GenerationRecord, readRecord, retired, writeEntry } from "./record.ts";
import { findServer } from "./version.ts";

/** The supervisor's name for the first generation's server. */
export const serviceName = "ployz-nats";

/** During a re-founding two generations run on a machine at once. */
export const serviceOf = (generation: number) =>
  generation === 1 ? serviceName : `${serviceName}-${generation}`;

/** How the server is run. */
export interface EnsureOptions {
  readonly host: ServiceHost;
  /** Path of nats-server; default: the one in PATH. */
  readonly binary?: string;
  /** Default 15,000. */
  readonly timeoutMs?: number;
  /** Name of the service; default: `serviceOf(generation)`. */
  readonly service?: string;
}

/** What had to be done, and the version of nats-server. */
export interface EnsureResult {
  readonly change: "started" | "replaced" | "reloaded" | "unchanged";
  readonly version: string;
}

/**
 * Runs the store server with exactly this configuration, and waits until it serves (one of three or five: until it runs, as it serves only
 * with the others). The generation's record on the machine decides permissions and routes. A change of users alone is reloaded without
 * dropping a connection; any other change restarts the server.
 * @throws PloyzError `nats_server_missing`, `nats_server_too_old`, `store_config_invalid`, `store_cluster_mismatch`,
 *   `store_generation_older`, `store_generation_retired`, `store_generation_unknown` (nothing was changed);
 *   `store_server_not_ready` when it does not serve in time.
 */
export function ensureServer(config: StoreServerConfig, options: EnsureOptions): Promise<EnsureResult> {
  return exclusively(config.dir, async () => {
    const found = await readRecord(config.dir);
    const entry = entryToRun(config, found);
    return runAs(config, found === undefined ? { ...entry, sealKey: newSealKey() } : entry, options);
  });
}

/** Call within `exclusively`. Writes the generation's new state into the record, then applies it to its server. */
export async function runAs(
  config: StoreServerConfig,
  entry: GenerationRecord,
  options: EnsureOptions,
): Promise<EnsureResult> {
  if (entry.state === "retired") throw retired(config.dir, entry.generation);
  const mode: ServerMode = {
    access: entry.state,
    routes: entry.routes,
    fence: entry.state === "fenced" ? entry.fence : undefined,
  };
  const text = renderConfig(config, mode);
  const { path, version } = await findServer(options.binary);
  const at = files(config.dir, config.generation);
  await mkdir(config.dir, { recursive: true, mode: 0o700 });
  const digest = await checkConfig(path, `${at.config}.check`, text);

  const before = await readFileIfThere(at.config);
  const { listen, monitorPort } = config;
  await writeEntry(config, await readRecord(config.dir), { ...entry, listen, monitorPort });
  if (before !== text) await writeFileAtomic(at.config, text);
  const name = options.service ?? serviceOf(config.generation);
  const applied = await options.host.ensure(serviceSpec(name, path, at.config));

  let change: EnsureResult["change"] = applied;
  const running = await monitor(config.monitorPort);
  if (applied === "unchanged" && (before !== text || (running && running.configDigest !== digest))) {
    // The file is current but the server is not: its writer did not finish, and only a restart is reliable.
    if (before !== undefined && (before === text || withoutUsers(before) !== withoutUsers(text))) {
      await options.host.restart(name);
      change = "replaced";
    } else {
      await options.host.signal(name, "SIGHUP");
      change = "reloaded";
    }
  }
  await ready(config, { digest, name, clustered: entry.routes !== undefined }, options);
  return { change, version };
}

/** Loads another set of users into the running server, and verifies that the server loaded it. */
export const reloadUsers = (
  config: StoreServerConfig,
  users: readonly StoreUser[],
  options: EnsureOptions,
): Promise<EnsureResult> => ensureServer({ ...config, users }, options);

/** Stops the server. Its definition and its data stay. */
export async function stopServer(host: ServiceHost, service: string = serviceName): Promise<void> {
  await host.stop(service);
}

export function serviceSpec(name: string, binary: string, configFile: string): ServiceSpec {
  return {
    name,
    description: "Ployz store (nats-server)",
    argv: [binary, "-c", configFile],
    // Not at boot: if the store was recovered elsewhere meanwhile, this server must not accept writes; the daemon asks its peers first.
    restart: "always",
    stopTimeoutMs: 20_000,
    confined: {
      capabilities: [],
      writes: [dirname(configFile)],
      families: ["AF_UNIX", "AF_INET", "AF_INET6"],
    },
  };
}

/** Users can be reloaded; everything before them cannot. */
const withoutUsers = (text: string) => text.slice(0, text.indexOf("\nauthorization {"));

/** Validates the configuration with nats-server without running it. Returns its digest in the form that `varz` reports. */
async function checkConfig(binary: string, file: string, text: string): Promise<string> {
  await writeFileAtomic(file, text);
  try {
    const { stdout, stderr } = await run(binary, ["-t", "-c", file], { timeoutMs: 10_000 });
    return /sha256:[0-9a-f]{64}/.exec(stdout + stderr)?.[0] ?? "";
  } catch (cause) {
    const said = cause instanceof ExecError ? cause.stderr.trim().slice(-500) : String(cause);
    throw new PloyzError(
      {
        code: "store_config_invalid",
        message: `nats-server refuses the store's configuration: ${said}`,
        hint: "report this message as a bug; the running server is unchanged",
      },
      { cause },
    );
  } finally {
    await unlink(file);
  }
}

async function ready(
  config: StoreServerConfig,
  wanted: { readonly digest: string; readonly name: string; readonly clustered: boolean },
  options: EnsureOptions,
): Promise<ServerState> {
  const timeoutMs = options.timeoutMs ?? 15_000;
  try {
    return await waitFor(
      "the store server",
      async () => {
        const state = await monitor(config.monitorPort);
        const enough = state?.healthy || wanted.clustered;
        return enough && state?.configDigest === wanted.digest ? state : undefined;
      },
      { timeoutMs, intervalMs: 20 },
    );
  } catch (cause) {
    const state = await monitor(config.monitorPort);
    const why = state
      ? state.configDigest === wanted.digest
        ? "it is not healthy"
        : "it runs with another configuration"
      : "its monitoring port does not answer";
    throw new PloyzError(
      {
        code: "store_server_not_ready",
        message: `nats-server on ${config.listen.host}:${config.listen.port} did not serve within ${timeoutMs} ms: ${why}`,
        hint: `read the log of service ${wanted.name}; another program may hold port ${config.listen.port} or ${config.monitorPort}`,
      },
      { cause },
    );
  }
}
