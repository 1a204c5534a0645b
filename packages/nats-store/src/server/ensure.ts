import { mkdir, unlink } from "node:fs/promises";
import { ExecError, PloyzError, run, type ServiceHost, type ServiceSpec, waitFor } from "@ployz/exec";
import { readFileIfThere, writeFileAtomic } from "../files.ts";
import { files, renderConfig, type StoreServerConfig } from "./config.ts";
import { monitor, type ServerState } from "./monitor.ts";
import type { StoreUser } from "./permissions.ts";
import { checkRecord, readRecord, writeRecord } from "./record.ts";
import { findServer } from "./version.ts";

export const serviceName = "ployz-nats";

export interface EnsureOptions {
  readonly host: ServiceHost;
  /** Path of nats-server; default: the one in PATH. */
  readonly binary?: string;
  /** Default 15,000. */
  readonly timeoutMs?: number;
  readonly service?: string;
}

export interface EnsureResult {
  readonly change: "started" | "replaced" | "reloaded" | "unchanged";
  readonly version: string;
}

/**
 * Makes the store server run with exactly this configuration, and waits until it serves. A change of users alone is
 * reloaded without dropping a connection; anything else restarts the server.
 * @throws PloyzError `nats_server_missing`, `nats_server_too_old`, `store_config_invalid`, `store_cluster_mismatch`,
 *   `store_generation_older` (nothing was changed); `store_server_not_ready` when it does not serve in time.
 */
export async function ensureServer(config: StoreServerConfig, options: EnsureOptions): Promise<EnsureResult> {
  const text = renderConfig(config);
  const { path, version } = await findServer(options.binary);
  const at = files(config.dir);
  const record = { cluster: config.cluster, generation: config.generation, server: config.machine };
  const found = await readRecord(config.dir);
  checkRecord(config.dir, found, record);
  await mkdir(config.dir, { recursive: true, mode: 0o700 });
  const digest = await checkConfig(path, `${at.config}.check`, text);

  const before = await readFileIfThere(at.config);
  if (JSON.stringify(found) !== JSON.stringify(record)) await writeRecord(config.dir, record);
  if (before !== text) await writeFileAtomic(at.config, text);
  const name = options.service ?? serviceName;
  const applied = await options.host.ensure(serviceSpec(name, path, at.config));

  let change: EnsureResult["change"] = applied;
  const running = await monitor(config.monitorPort);
  if (applied === "unchanged" && (before !== text || (running && running.configDigest !== digest))) {
    if (before !== undefined && withoutUsers(before) !== withoutUsers(text)) {
      await options.host.restart(name);
      change = "replaced";
    } else {
      await options.host.signal(name, "SIGHUP");
      change = "reloaded";
    }
  }
  await ready(config, digest, options);
  return { change, version };
}

/** Loads another set of users into the running server, and confirms that the server took it. */
export const reloadUsers = (
  config: StoreServerConfig,
  users: readonly StoreUser[],
  options: EnsureOptions,
): Promise<EnsureResult> => ensureServer({ ...config, users }, options);

export async function stopServer(host: ServiceHost, service: string = serviceName): Promise<void> {
  await host.stop(service);
}

export function serviceSpec(name: string, binary: string, configFile: string): ServiceSpec {
  return {
    name,
    description: "Ployz store (nats-server)",
    argv: [binary, "-c", configFile],
    restart: "always",
    startAtBoot: true,
    stopTimeoutMs: 20_000,
  };
}

/** Users can be reloaded; everything before them cannot. */
const withoutUsers = (text: string) => text.slice(0, text.indexOf("authorization {"));

/** Lets nats-server read the configuration without running it. Yields its digest, as `varz` reports what is loaded. */
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
        hint: "the running server was left as it is; report this with the message",
      },
      { cause },
    );
  } finally {
    await unlink(file);
  }
}

async function ready(
  config: StoreServerConfig,
  digest: string,
  options: EnsureOptions,
): Promise<ServerState> {
  const timeoutMs = options.timeoutMs ?? 15_000;
  try {
    return await waitFor(
      "the store server",
      async () => {
        const state = await monitor(config.monitorPort);
        return state?.healthy && state.configDigest === digest ? state : undefined;
      },
      { timeoutMs, intervalMs: 20 },
    );
  } catch (cause) {
    const state = await monitor(config.monitorPort);
    const why = state
      ? state.configDigest === digest
        ? "it is not healthy"
        : "it runs with another configuration"
      : "nothing answers on its monitoring port";
    throw new PloyzError(
      {
        code: "store_server_not_ready",
        message: `nats-server on ${config.listen.host}:${config.listen.port} did not serve within ${timeoutMs} ms: ${why}`,
        hint: `read the log of service ${options.service ?? serviceName}; another program may hold port ${config.listen.port} or ${config.monitorPort}`,
      },
      { cause },
    );
  }
}
