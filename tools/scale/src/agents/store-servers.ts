import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ServiceHost, waitFor } from "@ployz/exec";
import { findServer, monitor, renderConfig, type StoreUser } from "@ployz/nats-store";
import { freePorts } from "../free-port.ts";

/** Messages and bytes of their content, as the servers counted them. */
export interface Traffic {
  readonly messages: number;
  readonly bytes: number;
}

/** A store of three servers on loopback. */
export interface StoreServers {
  /** `host:port` of each. */
  readonly servers: readonly string[];
  /** Of one server's configuration. */
  readonly configBytes: number;
  /** Of all connections of machines. */
  traffic(): Promise<Traffic>;
  /** By SIGKILL; by the machine's name. */
  kill(machine: string): Promise<void>;
  start(machine: string): Promise<void>;
}

export async function startStore(
  cluster: string,
  users: readonly StoreUser[],
  { dir, services }: { readonly dir: string; readonly services: ServiceHost },
): Promise<StoreServers> {
  const { path: binary } = await findServer(process.env.PLOYZ_NATS_SERVER);
  const machines = users.filter(({ role }) => role === "store").map(({ machine }) => machine);
  const ports = await freePorts(machines.length * 3);
  const host = "127.0.0.1";
  const places = machines.map((machine, index) => ({
    machine,
    host,
    client: ports[index * 3] ?? 0,
    port: ports[index * 3 + 1] ?? 0,
    monitorPort: ports[index * 3 + 2] ?? 0,
  }));
  const routes = { id: "scale", secret: "scale", servers: places };
  const nameOf = (machine: string) => `scale-nats-${machine}`;
  const configs = await Promise.all(
    places.map(async ({ machine, client, monitorPort }) => {
      const own = join(dir, "store", machine);
      await mkdir(own, { recursive: true });
      const listen = { host, port: client };
      const config = { cluster, machine, generation: 1, listen, monitorPort, dir: own, users };
      const text = renderConfig(config, { access: "serving", routes });
      await writeFile(join(own, "server.conf"), text);
      return { machine, file: join(own, "server.conf"), bytes: text.length };
    }),
  );
  const start = async (machine: string): Promise<void> => {
    const file = configs.find((config) => config.machine === machine)?.file ?? "";
    await services.ensure({
      name: nameOf(machine),
      description: `a store server of ${cluster}`,
      argv: [binary, "-c", file],
      restart: "never",
    });
  };
  for (const machine of machines) await start(machine);
  await Promise.all(
    places.map(({ machine, monitorPort }) =>
      waitFor(
        `the store server of ${machine}`,
        async () => ((await monitor(monitorPort))?.healthy ? true : undefined),
        { timeoutMs: 120_000 },
      ),
    ),
  );
  return {
    servers: places.map(({ client }) => `${host}:${client}`),
    configBytes: configs[0]?.bytes ?? 0,
    async traffic() {
      const all = await Promise.all(places.map(({ monitorPort }) => connections(monitorPort)));
      const sum = (of: (one: Connection) => number) => all.flat().reduce((total, one) => total + of(one), 0);
      return {
        messages: sum((one) => one.in_msgs + one.out_msgs),
        bytes: sum((one) => one.in_bytes + one.out_bytes),
      };
    },
    async kill(machine) {
      const { pid } = await services.status(nameOf(machine));
      if (pid === undefined) throw new Error(`the store server of ${machine} does not run`);
      process.kill(pid, "SIGKILL");
    },
    start,
  };
}

interface Connection {
  readonly in_msgs: number;
  readonly out_msgs: number;
  readonly in_bytes: number;
  readonly out_bytes: number;
}

/** Source: docs.nats.io, "Monitoring": /connz. */
async function connections(monitorPort: number): Promise<readonly Connection[]> {
  const answer = await fetch(`http://127.0.0.1:${monitorPort}/connz?limit=4096`);
  const { connections } = (await answer.json()) as { readonly connections: readonly Connection[] };
  return connections;
}
