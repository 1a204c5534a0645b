import { createHash } from "node:crypto";
import { isIP } from "node:net";
import { isAbsolute } from "node:path";
import { PloyzError } from "../error-codes.ts";
import { asToken } from "../names.ts";
import { type Access, type Permissions, permissionsFor, type Role, type StoreUser } from "./permissions.ts";

/** One store server: identity, listeners, folder and users. */
export interface StoreServerConfig {
  readonly cluster: string;
  /** The machine that runs this server. */
  readonly machine: string;
  /** 1 for a new store; higher after each re-founding. */
  readonly generation: number;
  /** Client listener: the machine's overlay address (nats-server has one client listener). */
  readonly listen: { readonly host: string; readonly port: number };
  /** Health and versions, on loopback only. */
  readonly monitorPort: number;
  /** Absolute. Holds the configurations, store.json, the pid files and JetStream's files, one folder for each generation. */
  readonly dir: string;
  readonly users: readonly StoreUser[];
}

/** Routes between the servers of a set of three or five. */
export interface Routes {
  /** The founding of this set: part of the NATS cluster's name, so that two foundings never join. */
  readonly id: string;
  readonly secret: string;
  /** Every server of the set, this one included. */
  readonly servers: readonly { readonly machine: string; readonly host: string; readonly port: number }[];
}

/** A generation's state in the machine's record: who may write, and the routes of its cluster (absent: standalone). */
export interface ServerMode {
  readonly access: Access;
  /** The re-founding that holds the fence. */
  readonly fence?: string | undefined;
  readonly routes?: Routes | undefined;
}

/** Largest message: a commit is a namespace's whole state. */
export const maxPayloadBytes = 8 * 1024 * 1024;

/** Generation 1 keeps the names from before generations existed, so that an update does not restart its server. */
export const files = (dir: string, generation: number) => {
  const name = generation === 1 ? "nats-server" : `nats-server-${generation}`;
  return {
    config: `${dir}/${name}.conf`,
    pid: `${dir}/${name}.pid`,
    jetstream: `${dir}/generation-${generation}`,
  };
};

/** nkey public user keys: base32, starting with U. */
const publicUserKey = /^U[A-Z2-7]{55}$/;

/**
 * nats-server's configuration for one store server: standalone (one replica), or one voter of a set of three or five.
 * Source: docs.nats.io, "Configuration", and `nats-server --help`.
 */
export function renderConfig(config: StoreServerConfig, mode: ServerMode = { access: "serving" }): string {
  check(config, mode);
  const at = files(config.dir, config.generation);
  const users = [...config.users].sort((a, b) => (a.machine < b.machine ? -1 : 1));
  const rights = { access: mode.access, members: users.map(({ machine }) => machine) };
  const roles = (["machine", "store"] as const).filter((role) => users.some((user) => user.role === role));
  const fence = mode.fence === undefined ? "" : `# Refuses every write: fenced by ${mode.fence}.\n`;
  return `# Written by ployz for generation ${config.generation} of the store of ${config.cluster}. Changes here are overwritten.
${fence}server_name: ${quote(serverName(config))}
host: ${quote(config.listen.host)}
port: ${config.listen.port}
http: ${quote(`127.0.0.1:${config.monitorPort}`)}
pid_file: ${quote(at.pid)}
max_payload: ${maxPayloadBytes}
# Detects dead connections of clients and routes within nine seconds. Clients ping more often.
ping_interval: "3s"
ping_max: 2

jetstream {
  store_dir: ${quote(at.jetstream)}
  # The default writes to disk every two minutes and loses acknowledged writes when power fails.
  sync_interval: always
}
${mode.routes ? renderRoutes(config, mode.routes, mode.fence) : ""}
authorization {
  timeout: 5
${roles.map((role) => renderPublish(role, permissionsFor(config.cluster, { machine: config.machine, role }, rights))).join("")}  users: [
${users.map((user) => renderUser(user, permissionsFor(config.cluster, user, { access: mode.access }))).join("\n")}
  ]
}
`;
}

/** The server's name. Clients read the generation from it when they connect. */
export const serverName = (config: Pick<StoreServerConfig, "cluster" | "generation" | "machine">) =>
  `${config.cluster}-${config.generation}-${config.machine}`;

/** The generation in a server's name; `undefined` for names of other clusters. */
export function generationOf(cluster: string, name: string): number | undefined {
  if (!name.startsWith(`${cluster}-`)) return undefined;
  const found = /^(\d+)-/.exec(name.slice(cluster.length + 1))?.[1];
  return found === undefined ? undefined : Number(found);
}

/**
 * A fence also changes the route password: an unfenced server that was away cannot rejoin the fenced ones, and alone it has no quorum.
 */
function renderRoutes(config: StoreServerConfig, routes: Routes, fence: string | undefined): string {
  const password = createHash("sha256")
    .update(JSON.stringify([routes.secret, fence ?? ""]))
    .digest("hex");
  const own = routes.servers.find(({ machine }) => machine === config.machine);
  const others = routes.servers.filter(({ machine }) => machine !== config.machine);
  const at = (server: { readonly host: string; readonly port: number }) =>
    `${isIP(server.host) === 6 ? `[${server.host}]` : server.host}:${server.port}`;
  return `
cluster {
  name: ${quote(`${config.cluster}-${config.generation}-${routes.id}`)}
  listen: ${quote(own ? at(own) : "")}
  no_advertise: true
  authorization {
    user: "route"
    password: ${quote(password)}
    timeout: 5
  }
  routes: [
${others.map((server) => `    ${quote(`nats://route:${password}@${at(server)}`)}`).join("\n")}
  ]
}
`;
}

/** A variable of the configuration. What a member may publish to depends on its role alone, and names every member: once a role, not once a member. */
const publishes = (role: Role) => `publish_of_${role}`;

const renderPublish = (role: Role, { publish }: Permissions): string => `  ${publishes(role)}: [
${lines(publish, "    ")}
  ]
`;

const renderUser = ({ machine, role, publicKey }: StoreUser, { subscribe }: Permissions): string =>
  `    { # ${machine}, ${role}
      nkey: ${quote(publicKey)}
      permissions: {
        publish: { allow: $${publishes(role)} }
        subscribe: { allow: [
${lines(subscribe, "          ")}
        ] }
      }
    }`;

const lines = (subjects: readonly string[], indent: string): string =>
  subjects.map((subject) => `${indent}${quote(subject)}`).join("\n");

const quote = (text: string) => JSON.stringify(text);

const wrong = (message: string, hint: string) =>
  new PloyzError({ code: "store_config_invalid", message, hint });

function check(config: StoreServerConfig, { routes }: ServerMode): void {
  asToken("cluster", config.cluster);
  asToken("machine", config.machine);
  if (!isAbsolute(config.dir) || /["\\\n\0]/.test(config.dir)) {
    throw wrong(
      `the store directory ${quote(config.dir)} is not valid`,
      "use an absolute path without quotes",
    );
  }
  const servers = routes?.servers ?? [];
  for (const host of [config.listen.host, ...servers.map((server) => server.host)]) {
    if (isIP(host) === 0)
      throw wrong(
        `the store address ${quote(host)} is not an IP address`,
        "use the machine's overlay address",
      );
  }
  for (const port of [config.listen.port, config.monitorPort, ...servers.map((server) => server.port)]) {
    if (!Number.isInteger(port) || port < 1 || port > 65535)
      throw wrong(`${port} is not a port`, "use 1 to 65535");
  }
  if (!Number.isSafeInteger(config.generation) || config.generation < 1) {
    throw wrong(
      `the store generation must be 1 or higher, not ${config.generation}`,
      "a new store starts with generation 1",
    );
  }
  if (routes) checkRoutes(config.machine, routes);
  const seen = new Set<string>();
  for (const user of config.users) {
    asToken("machine", user.machine);
    if (!publicUserKey.test(user.publicKey)) {
      throw wrong(
        `the store key of machine ${user.machine} is not a public user nkey`,
        "pass the publicKey of createIdentity()",
      );
    }
    for (const name of [user.machine, user.publicKey]) {
      if (seen.has(name))
        throw wrong(`${name} is listed twice among the store's users`, "list each machine and key once");
      seen.add(name);
    }
  }
}

/** Two voters have no majority without each other, and four survive no more failures than three. */
function checkRoutes(machine: string, routes: Routes): void {
  asToken("founding", routes.id);
  const machines = new Set(routes.servers.map((server) => server.machine));
  if (machines.size !== routes.servers.length || ![3, 5].includes(machines.size)) {
    throw wrong(
      `a store of ${routes.servers.length} machines cannot be clustered`,
      "use one store machine, or three or five different ones",
    );
  }
  if (!machines.has(machine))
    throw wrong(`${machine} is not among the store machines of its set`, "add it to the set");
  if (routes.secret === "") throw wrong("the store set has no route secret", "pass random text");
}
