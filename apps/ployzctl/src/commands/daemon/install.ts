import { createHash } from "node:crypto";
import { chmod, mkdir, readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { dirname, join } from "node:path";
import { errorBody } from "@ployz/errors";
import { findProgram, run, type ServiceHost, waitFor } from "@ployz/exec";
import { openClient } from "@ployz/primitives/client";
import type { Context, Input } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import type { Settings } from "../../settings.ts";
import { installedVersion } from "../../version.ts";
import { type Fields, readConfigText, writeFields } from "./config.ts";
import type { DaemonInstalled } from "./documents.ts";
import { installInitScript } from "./init-script.ts";
import {
  daemonSpec,
  exists,
  installedPayload,
  needRoot,
  SERVICE,
  serviceHost,
  serviceLogs,
} from "./service.ts";

export interface InstallOptions {
  readonly runtime?: "docker" | "host";
  readonly region?: string;
  readonly az?: string;
  /** All with one port. */
  readonly gatewayListen?: readonly string[];
  /** `storage.zfs_root`. */
  readonly zfsRoot?: string;
}

export const install = (context: Context, input: Input): Promise<DaemonInstalled> =>
  installDaemon(context, {
    ...optional("runtime", input.text("runtime") as "docker" | "host" | undefined),
    ...optional("region", input.text("region")),
    ...optional("az", input.text("az")),
    ...(input.list("gateway-listen").length > 0 && { gatewayListen: input.list("gateway-listen") }),
    ...optional("zfsRoot", input.text("zfs-root")),
  });

const optional = <K extends string, V>(key: K, value: V | undefined): { readonly [k in K]?: V } =>
  (value === undefined ? {} : { [key]: value }) as { readonly [k in K]?: V };

/** Preconditions, configuration, group, service; then waits until the API answers. */
export async function installDaemon(context: Context, options: InstallOptions): Promise<DaemonInstalled> {
  if (context.globals.host !== undefined)
    throw usage(
      "daemon install works on this machine only",
      `to add another machine: ployzctl machine add ${context.globals.host}`,
    );
  needRoot(context.terminal.root, "daemon install");
  checkOptions(options);
  const settings = await context.settings();
  const payload = await installedPayload();
  const host = await serviceHost(settings);
  await needSupervisor(host);

  const fields: Fields = {
    ...(options.runtime !== undefined && { runtime: options.runtime === "host" ? "process" : "docker" }),
    ...optional("region", options.region),
    ...optional("az", options.az),
    ...optional("gateway_listen", oneOrAll(options.gatewayListen)),
    ...optional("storage.zfs_root", options.zfsRoot),
    ...optional("socket", context.globals.socket),
    ...optional("data_dir", context.globals.dataDir),
  };
  const configured = await writeFields(settings.configPath, fields, payload);
  const changed = [
    ...(configured ? [settings.configPath] : []),
    ...((await ensureGroup()) ? ["group ployz"] : []),
    ...(host.kind === "s6" && (await installInitScript()) ? ["/etc/init.d/ployz"] : []),
  ];
  const service = await ensureRunning(host, settings, payload);
  return {
    kind: "daemon-installed",
    service,
    serviceHost: host.kind,
    version: installedVersion(payload).version,
    socket: settings.socket,
    config: settings.configPath,
    changed,
    ...(await keep(settings)),
  };
}

/** What the daemon puts right of this machine's setup. An older daemon has no such call. */
async function keep({ socket }: Settings): Promise<Pick<DaemonInstalled, "repaired" | "remaining">> {
  const kept = await openClient({ socketPath: socket })
    .request("POST /v1/daemon/keep")
    .catch(() => undefined);
  return {
    ...(kept !== undefined && kept.repaired.length > 0 && { repaired: kept.repaired }),
    ...(kept !== undefined && kept.remaining.length > 0 && { remaining: kept.remaining }),
  };
}

/** At boot: /run is empty, everything else is installed. */
export async function start(context: Context): Promise<DaemonInstalled> {
  needRoot(context.terminal.root, "daemon start");
  const settings = await context.settings();
  const payload = await installedPayload();
  const host = await serviceHost(settings);
  await needSupervisor(host);
  return {
    kind: "daemon-installed",
    service: await ensureRunning(host, settings, payload),
    serviceHost: host.kind,
    version: installedVersion(payload).version,
    socket: settings.socket,
    config: settings.configPath,
    changed: [],
  };
}

/** As it was written before there could be several. */
const oneOrAll = (listens: readonly string[] | undefined): string | readonly string[] | undefined =>
  listens?.length === 1 ? listens[0] : listens;

function isListen(text: string): boolean {
  const [, address = "", port = ""] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  const inBrackets = /^\[(.*)\]$/.exec(address)?.[1];
  const family = inBrackets === undefined ? isIP(address) === 4 : isIP(inBrackets) === 6;
  return family && !address.includes("%") && Number(port) >= 1 && Number(port) <= 65_535;
}

function checkOptions({ region, az, gatewayListen = [], zfsRoot }: InstallOptions): void {
  for (const [name, value] of Object.entries({ region, az })) {
    if (value !== undefined && !/^[a-z0-9][a-z0-9-]{0,62}$/.test(value))
      throw usage(
        `--${name}: ${JSON.stringify(value.slice(0, 80))} is not a label`,
        "use 1 to 63 lower-case letters, digits and dashes",
      );
  }
  const wrong = gatewayListen.find((listen) => !isListen(listen));
  if (wrong !== undefined)
    throw usage(
      `--gateway-listen: ${JSON.stringify(wrong.slice(0, 80))} is not an address and port`,
      "for example 0.0.0.0:80 or [::]:80",
    );
  if (new Set(gatewayListen.map((listen) => listen.slice(listen.lastIndexOf(":")))).size > 1)
    throw usage("--gateway-listen: all addresses must have the same port");
  if (zfsRoot !== undefined && !/^[A-Za-z][A-Za-z0-9_.:/-]{0,59}$/.test(zfsRoot))
    throw usage(
      `--zfs-root: ${JSON.stringify(zfsRoot.slice(0, 80))} is not a dataset`,
      "for example tank/ployz, at most 60 characters",
    );
}

export async function needSupervisor(host: ServiceHost): Promise<void> {
  if (host.kind === "systemd" || (await findProgram("s6-svscan")) !== undefined) return;
  throw new PloyzError({
    code: "s6_missing",
    message: "found neither systemd nor s6 on this machine",
    hint: "apt-get install s6",
  });
}

/** Members of this group may use the socket. */
async function ensureGroup(): Promise<boolean> {
  const groups = await readFile("/etc/group", "utf8").catch(() => "");
  if (/^ployz:/m.test(groups) || (await findProgram("groupadd")) === undefined) return false;
  await run("groupadd", ["-r", "ployz"]);
  return true;
}

/** Long enough for a machine that is booting or emulated. */
const READY_MS = 45_000;
/** After this many processes the daemon is taken to crash at its start. */
const ENOUGH_PROCESSES = 3;

async function ensureRunning(
  host: ServiceHost,
  settings: Settings,
  payload: string,
): Promise<DaemonInstalled["service"]> {
  const client = openClient({ socketPath: settings.socket });
  const version = () => client.request("GET /v1/version", { idleMs: 2_000 });
  const before = await version().catch(() => undefined);
  const ran = await client.request("GET /v1/daemon", { idleMs: 2_000 }).catch(() => undefined);
  await openRunDir(settings);
  let outcome = await host.ensure(daemonSpec(payload, settings));
  // An update keeps every path, and the daemon reads its configuration once: both need a new process.
  const stale =
    (before !== undefined && before.build !== installedVersion(payload).build) ||
    (ran !== undefined && ran.config?.digest !== (await digestOf(settings.configPath)));
  if (outcome === "unchanged" && stale) {
    await host.restart(SERVICE);
    outcome = "replaced";
  }
  const answers = () => {
    const processes = new Set<number>();
    const probe = async () => {
      const answer = await version().catch(() => undefined);
      if (answer !== undefined) return answer;
      const { pid } = await host.status(SERVICE);
      if (pid !== undefined) processes.add(pid);
      if (processes.size < ENOUGH_PROCESSES) return undefined;
      throw new Error("its process exits repeatedly");
    };
    return waitFor("the daemon to answer", probe, { timeoutMs: READY_MS, intervalMs: 100 });
  };
  await answers()
    .catch(async (error: unknown) => {
      if (outcome !== "unchanged") throw error;
      // The process runs and does not answer: it hangs, so restart it.
      await host.restart(SERVICE);
      outcome = "replaced";
      await answers();
    })
    .catch(async (error: unknown) => {
      throw await notReady(host, settings, error);
    });
  return outcome === "started" ? "installed" : outcome;
}

/** As the daemon reports it. */
const digestOf = async (path: string): Promise<string> =>
  createHash("sha256")
    .update(await readConfigText(path))
    .digest("hex");

async function notReady(host: ServiceHost, settings: Settings, cause: unknown): Promise<PloyzError> {
  const log = join(serviceLogs(settings), SERVICE, "current");
  const text =
    host.kind === "systemd"
      ? (
          await run("journalctl", ["-u", SERVICE, "-n", "8", "-o", "cat", "--no-pager"]).catch(
            () => undefined,
          )
        )?.stdout
      : (await exists(log))
        ? await readFile(log, "utf8")
        : undefined;
  const logs = (text ?? "")
    .trim()
    .split("\n")
    .slice(-8)
    .filter((line) => line !== "");
  const refused = /^.*ployzd: (.*) \(config_invalid\)$/m.exec(logs.join("\n"))?.[1];
  if (refused !== undefined) {
    const hint = "correct the file and run this again; docs/configuration.md lists the fields";
    return new PloyzError({ code: "config_invalid", message: refused, hint }, { cause });
  }
  return new PloyzError(
    {
      code: "daemon_not_ready",
      message: `the daemon does not answer on ${settings.socket}: ${errorBody(cause).message}`,
      hint: host.kind === "systemd" ? `journalctl -u ${SERVICE}` : `see ${log}`,
      details: { logs },
    },
    { cause },
  );
}

/** The socket's mode decides who may use it; the group ployz must be able to enter its folder. */
async function openRunDir({ socket }: Settings): Promise<void> {
  await mkdir(dirname(socket), { recursive: true });
  if (dirname(socket) === "/run/ployz") await chmod("/run/ployz", 0o755);
}
