import { createHash } from "node:crypto";
import { isIP } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { readFileIfThere } from "@ployz/exec";
import type { RegistryHost } from "@ployz/images";
import { ALLOWED, type Allowed, DEFAULT_HOST_PORTS, type Right } from "@ployz/primitives/protocol";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "smol-toml";
import { PloyzError } from "../error-codes.ts";
import { FORWARD, FORWARD_SHAPE, forwardTarget } from "./forward.ts";
import { portOf } from "./listen.ts";
import { type ConfigFile, ConfigSchema, PATH } from "./schema.ts";
import { overlayStorePorts } from "./store-ports.ts";

export interface Config {
  /** The file's path, and the SHA-256 of its text: a process that has read another text must be restarted. */
  readonly file: { readonly path: string; readonly digest: string };
  readonly dataDir: string;
  readonly runDir: string;
  readonly socket: string;
  readonly region: string | undefined;
  readonly az: string | undefined;
  readonly clusterCidr: string;
  readonly subnetPrefixLength: number;
  readonly wireguardPort: number;
  readonly wireguardMtu: number | undefined;
  readonly transferPort: number;
  readonly storePort: number;
  readonly joinPort: number;
  /** All with the same port. */
  readonly gatewayListen: readonly string[];
  /** The same. None: TLS is not served. */
  readonly gatewayHttpsListen: readonly string[];
  /** CIDRs of load balancers before the gateway. */
  readonly trustedProxies: readonly string[];
  readonly proxyProtocol: boolean;
  readonly dnsForward: readonly string[] | undefined;
  readonly runtime: "docker" | "process" | undefined;
  readonly dockerSocket: string;
  readonly zfsRoot: string | undefined;
  readonly overcommitRatio: number;
  readonly retention: Retention;
  /** Address and port of the daemon's metrics, or `off`. Default: the overlay address, port 9464. */
  readonly metricsListen: string | undefined;
  /** Address and port of HAProxy's own metrics. */
  readonly gatewayMetrics: string | undefined;
  /** Of the logs of instances that have ended. */
  readonly logKeep: { readonly days: number; readonly bytes: number };
  /** Where this machine's logs are sent: the URL of `forwardTarget`, and a file with certificates that the server's is checked against. */
  readonly logForward: { readonly url: string; readonly ca?: string } | undefined;
  /** `port`: UDP, of 127.0.0.1, where HAProxy sends the lines. */
  readonly accessLog: { readonly all: boolean; readonly bytes: number; readonly port: number };
  readonly natsServer: string | undefined;
  /** Whether a cluster that is made here keeps namespaces apart. */
  readonly isolation: boolean;
  /** By host: how this machine reaches a registry of images. */
  readonly registries: Readonly<Record<string, RegistryHost>>;
  /** Rights that no workload gets on this machine. */
  readonly refusedRights: readonly Right[];
  /** Rights that workloads may have on this machine beyond the usual. */
  readonly allowed: Allowed;
}

/** Retention: keeps the last `last` ones, and all younger than `days`. */
export interface Retention {
  readonly last: number;
  readonly days: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The file's path: `--config`, `PLOYZ_CONFIG`, /etc for root, XDG for a user. */
export function configPath(option: string | undefined, env: Environment, root: boolean): string {
  if (option !== undefined) return option;
  if (env.PLOYZ_CONFIG !== undefined) return env.PLOYZ_CONFIG;
  return root
    ? "/etc/ployz/config.toml"
    : join(env.XDG_CONFIG_HOME ?? join(homedir(), ".config"), "ployz/config.toml");
}

/** @throws PloyzError `config_invalid`, naming the file and every wrong field. */
export async function loadConfig(path: string, env: Environment, root: boolean): Promise<Config> {
  const text = (await readFileIfThere(path)) ?? "";
  const digest = createHash("sha256").update(text).digest("hex");
  return { file: { path, digest }, ...withDefaults(parseConfig(text, path), env, root) };
}

export function parseConfig(text: string, path: string): ConfigFile {
  const invalid = (problems: readonly string[]) =>
    new PloyzError({
      code: "config_invalid",
      message: `${path}: ${problems.join("; ")}`,
      hint: "fix the file: docs/configuration.md lists the fields",
    });
  let value: unknown;
  try {
    value = listed(parse(text));
  } catch (error) {
    throw invalid([error instanceof Error ? (error.message.split("\n")[0] ?? "not TOML") : "not TOML"]);
  }
  const validate = new Ajv2020({ allErrors: true, verbose: true, validateSchema: false }).compile<ConfigFile>(
    ConfigSchema,
  );
  if (validate(value)) {
    const wrong = outOfRange(value);
    if (wrong.length === 0) return value;
    throw invalid(wrong);
  }
  const problems = (validate.errors ?? []).flatMap((error) => {
    const field = error.instancePath
      .slice(1)
      .replaceAll("/", ".")
      .replace(/^(gateway_(?:https_)?listen)\.0$/, "$1");
    if (error.keyword === "additionalProperties") {
      const unknown = String(error.params.additionalProperty)
        .replaceAll(/\p{Cc}/gu, "\uFFFD")
        .slice(0, 60);
      return `unknown field ${field === "" ? unknown : `${field}.${unknown}`}`;
    }
    if (error.keyword === "const") return []; // errors of one alternative; that of `anyOf` covers all
    // A URL may have a password.
    const given = field === "logs.forward" ? "the URL" : shown(error.data);
    if (error.keyword === "enum")
      return `${field}: ${given} must be one of ${error.params.allowedValues.join(", ")}`;
    if (error.keyword === "pattern")
      return `${field}: ${given} must be ${shapeOf(String(error.params.pattern))}`;
    if (error.keyword === "anyOf")
      return `${field}: ${given} is neither ${field.endsWith("listen") ? "off nor an IPv4 address and port such as 127.0.0.1:9464" : "docker nor process"}`;
    return `${field}: ${error.message ?? "is wrong"}, and is ${given}`;
  });
  throw invalid(problems);
}

/** One listener is written without a list. */
const listed = (file: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(file).map(([field, value]) =>
      /^gateway_(https_)?listen$/.test(field) && typeof value === "string"
        ? [field, field === "gateway_https_listen" && value === "off" ? [] : [value]]
        : [field, value],
    ),
  );

const OWN: Readonly<Record<string, string>> = { [PATH]: "an absolute path", [FORWARD]: FORWARD_SHAPE };
const shapeOf = (pattern: string) => OWN[pattern] ?? ALLOWED[pattern] ?? "valid";

/** A separate copy of the function in @ployz/primitives: followers read the configuration too, and load only what they use. */
const shown = (value: unknown): string => (JSON.stringify(value) ?? "nothing").slice(0, 80);

/** Checks beyond the patterns. */
function outOfRange(file: ConfigFile): readonly string[] {
  const cluster = file.cluster_cidr;
  const transfer = file.transfer_port ?? 4319;
  const join = file.join_port ?? 51821;
  const held = overlayStorePorts(file.store_port ?? 4222);
  const several = (["gateway_listen", "gateway_https_listen"] as const).filter(
    (field) => new Set(file[field]?.map((listen) => portOf(listen))).size > 1,
  );
  const { forward, forward_ca } = file.logs ?? {};
  return [
    ...(forward !== undefined && forwardTarget(forward) === undefined
      ? [`logs.forward: must be ${FORWARD_SHAPE}`]
      : []),
    ...(forward_ca !== undefined && forwardTarget(forward ?? "")?.tls !== true
      ? ["logs.forward_ca: goes with a logs.forward over TLS"]
      : []),
    ...(file.trusted_proxies ?? []).flatMap((network, index) =>
      isIP(network.slice(0, network.indexOf("/"))) === 0
        ? [
            `trusted_proxies.${index}: ${shown(network)} must be a network such as 10.0.0.0/8 or 2001:db8::/32`,
          ]
        : [],
    ),
    ...several.map((field) => `${field}: ${shown(file[field])} has more than one port`),
    ...(Number(cluster?.split("/")[1] ?? 0) > 30
      ? [`cluster_cidr: ${shown(cluster)} has no room for machines; a prefix of at most 30 bits has`]
      : []),
    ...(held.includes(transfer)
      ? [`transfer_port and store_port: both would use ${transfer} (the store uses ${held.join(", ")})`]
      : []),
    ...(held.includes(join)
      ? [`join_port and store_port: both would use ${join} (the store uses ${held.join(", ")})`]
      : []),
    ...(transfer === join ? [`transfer_port and join_port: both are ${join}`] : []),
  ];
}

/** Who may write to one of these is root. */
const ROOTS = ["/etc/ployz", "/run/docker.sock", "/run/containerd", "/run/systemd/private"];

export function withDefaults(file: ConfigFile, env: Environment, root: boolean): Omit<Config, "file"> {
  const dataDir =
    env.PLOYZ_DATA_DIR ??
    file.data_dir ??
    (root ? "/var/lib/ployz" : join(env.XDG_DATA_HOME ?? join(homedir(), ".local/share"), "ployz"));
  const socket =
    env.PLOYZ_SOCKET ??
    file.socket ??
    (root ? "/run/ployz/ployzd.sock" : join(env.XDG_RUNTIME_DIR ?? "/tmp", "ployz/ployzd.sock"));
  const runDir = socket.slice(0, socket.lastIndexOf("/"));
  const dockerSocket = file.docker_socket ?? "/var/run/docker.sock";
  const { forward, forward_ca } = file.logs ?? {};
  return {
    dataDir,
    socket,
    runDir,
    region: env.PLOYZ_REGION ?? file.region,
    az: env.PLOYZ_AZ ?? file.az,
    clusterCidr: file.cluster_cidr ?? "10.101.0.0/16",
    subnetPrefixLength: file.subnet_prefix_len ?? 24,
    wireguardPort: file.wireguard_port ?? 51820,
    wireguardMtu: file.wireguard_mtu,
    transferPort: file.transfer_port ?? 4319,
    storePort: file.store_port ?? 4222,
    joinPort: file.join_port ?? 51821,
    gatewayListen: file.gateway_listen ?? ["0.0.0.0:80"],
    gatewayHttpsListen: file.gateway_https_listen ?? ["0.0.0.0:443"],
    trustedProxies: file.trusted_proxies ?? [],
    proxyProtocol: file.proxy_protocol ?? false,
    dnsForward: file.dns_forward,
    runtime: file.runtime,
    dockerSocket,
    zfsRoot: file.storage?.zfs_root,
    overcommitRatio: file.storage?.overcommit_ratio ?? 1,
    retention: { last: file.retention?.last ?? 10, days: file.retention?.days ?? 7 },
    metricsListen: file.metrics?.listen,
    gatewayMetrics: file.metrics?.gateway,
    logKeep: { days: file.logs?.keep_days ?? 30, bytes: (file.logs?.keep_mib ?? 1024) * 1024 * 1024 },
    logForward:
      forward === undefined
        ? undefined
        : { url: forward, ...(forward_ca !== undefined && { ca: forward_ca }) },
    accessLog: {
      all: file.access_log?.all ?? false,
      bytes: (file.access_log?.keep_mib ?? 256) * 1024 * 1024,
      port: file.access_log?.port ?? 4320,
    },
    natsServer: file.store?.server,
    isolation: file.policy?.isolation !== "off",
    registries: file.registries ?? {},
    refusedRights: file.policy?.refuse ?? [],
    allowed: {
      capabilities: file.policy?.capabilities ?? [],
      hostPaths: file.policy?.host_paths ?? [],
      devices: file.policy?.devices ?? [],
      hostPorts: file.policy?.host_ports ?? DEFAULT_HOST_PORTS,
      keptPaths: [dataDir, runDir, dockerSocket, ...ROOTS],
    },
  };
}
