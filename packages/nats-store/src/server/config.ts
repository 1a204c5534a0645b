import { isIP } from "node:net";
import { isAbsolute } from "node:path";
import { PloyzError } from "@ployz/exec";
import { asToken } from "../names.ts";
import { permissionsFor, type StoreUser } from "./permissions.ts";

export interface StoreServerConfig {
  readonly cluster: string;
  /** The machine that runs this server. */
  readonly machine: string;
  /** 1 for a new store; higher after each re-founding. */
  readonly generation: number;
  /** Where clients connect: the machine's overlay address (nats-server has one client listener). */
  readonly listen: { readonly host: string; readonly port: number };
  /** Health and versions, on loopback only. */
  readonly monitorPort: number;
  /** Absolute. Holds the configuration, store.json, the pid file and JetStream's files. */
  readonly dir: string;
  readonly users: readonly StoreUser[];
}

/** Largest message: a commit is a namespace's whole state. */
export const maxPayloadBytes = 8 * 1024 * 1024;

export const files = (dir: string) => ({
  config: `${dir}/nats-server.conf`,
  record: `${dir}/store.json`,
  pid: `${dir}/nats-server.pid`,
  jetstream: (generation: number) => `${dir}/generation-${generation}`,
});

/** nkey public user keys: base32, starting with U. */
const publicUserKey = /^U[A-Z2-7]{55}$/;

/**
 * nats-server's configuration for one standalone store server (one store machine, one replica).
 * Source: docs.nats.io, "Configuration", and `nats-server --help`.
 */
export function renderConfig(config: StoreServerConfig): string {
  check(config);
  const at = files(config.dir);
  const users = [...config.users].sort((a, b) => (a.machine < b.machine ? -1 : 1));
  return `# Written by ployz for generation ${config.generation} of the store of ${config.cluster}. Changes here are overwritten.
server_name: ${quote(`${config.cluster}-${config.generation}-${config.machine}`)}
host: ${quote(config.listen.host)}
port: ${config.listen.port}
http: ${quote(`127.0.0.1:${config.monitorPort}`)}
pid_file: ${quote(at.pid)}
max_payload: ${maxPayloadBytes}
ping_interval: "10s"
ping_max: 2

jetstream {
  store_dir: ${quote(at.jetstream(config.generation))}
  # The default writes to disk every two minutes and loses acknowledged writes when power fails.
  sync_interval: always
}

authorization {
  timeout: 5
  users: [
${users.map((user) => renderUser(config.cluster, user)).join("\n")}
  ]
}
`;
}

function renderUser(cluster: string, user: StoreUser): string {
  const { publish, subscribe } = permissionsFor(cluster, user);
  const list = (subjects: readonly string[]) =>
    subjects.map((subject) => `          ${quote(subject)}`).join("\n");
  return `    { # ${user.machine}, ${user.role}
      nkey: ${quote(user.publicKey)}
      permissions: {
        publish: { allow: [
${list(publish)}
        ] }
        subscribe: { allow: [
${list(subscribe)}
        ] }
        # A call's replies and progress: refreshed by each sign of life that the caller sends.
        allow_responses: { max: 100000000, expires: "10m" }
      }
    }`;
}

const quote = (text: string) => JSON.stringify(text);

function check(config: StoreServerConfig): void {
  const wrong = (message: string, hint: string) =>
    new PloyzError({ code: "store_config_invalid", message, hint });
  asToken("cluster", config.cluster);
  asToken("machine", config.machine);
  if (!isAbsolute(config.dir) || /["\\\n\0]/.test(config.dir)) {
    throw wrong(`store directory ${quote(config.dir)} cannot be used`, "use an absolute path without quotes");
  }
  if (isIP(config.listen.host) === 0) {
    throw wrong(
      `store address ${quote(config.listen.host)} is no IP address`,
      "use the machine's overlay address",
    );
  }
  for (const port of [config.listen.port, config.monitorPort]) {
    if (!Number.isInteger(port) || port < 1 || port > 65535)
      throw wrong(`${port} is no port`, "use 1 to 65535");
  }
  if (!Number.isSafeInteger(config.generation) || config.generation < 1) {
    throw wrong(
      `store generation ${config.generation} is not 1 or higher`,
      "a new store starts with generation 1",
    );
  }
  const seen = new Set<string>();
  for (const user of config.users) {
    asToken("machine", user.machine);
    if (!publicUserKey.test(user.publicKey)) {
      throw wrong(
        `the store key of machine ${user.machine} is no public user nkey`,
        "pass what createIdentity() calls publicKey",
      );
    }
    for (const name of [user.machine, user.publicKey]) {
      if (seen.has(name))
        throw wrong(`${name} is listed twice among the store's users`, "list each machine and key once");
      seen.add(name);
    }
  }
}
