import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import {
  createIdentity,
  ensureServer,
  entryOf,
  initStore,
  type LocalStoreMachine,
  type NatsStore,
  openStore,
  openStoreMachine,
  type Refounding,
  type RefoundStage,
  readBackup,
  readRecord,
  refound,
  restoreStore,
  type SessionOptions,
  type StoreMachine,
  type StoreServer,
  type StoreSet,
  snapshotStore,
  writeBackup,
} from "../src/index.ts";
import { type Processes, processes } from "./processes.ts";
import { freePort, serverBinary } from "./rig.ts";

export interface Cluster {
  readonly name: string;
  readonly dir: string;
  readonly machines: Readonly<Record<string, LocalStoreMachine>>;
  readonly hosts: Readonly<Record<string, Processes>>;
  /** `host:port` of generation 1, served by `m1` alone. */
  readonly first: readonly string[];
  store(
    machine: string,
    options: Partial<SessionOptions> & { readonly servers: readonly string[] },
  ): NatsStore;
  set(generation: number, machines: readonly string[]): Promise<StoreSet>;
  /** Re-founds through real servers; `before` may inject a fault at a stage. */
  move(
    from: Refounding["from"],
    to: StoreSet,
    before?: (stage: RefoundStage) => unknown,
  ): ReturnType<typeof refound>;
  refounding(from: Refounding["from"], to: StoreSet): Refounding;
  /** The daemon's handling of its own generation at start. */
  ensure(machine: string, generation: number): ReturnType<typeof ensureServer>;
  cleanup(): Promise<void>;
}

/** Machines on loopback, each with a store directory and services of its own; `m1` holds generation 1. */
export async function startCluster(names: readonly string[]): Promise<Cluster> {
  const binary = await serverBinary();
  const dir = await mkdtemp(`${tmpdir()}/ployz-refound-`);
  const [port, monitorPort] = [await freePort(), await freePort()];
  const name = `lab-${port}`;
  const identities = Object.fromEntries(names.map((machine) => [machine, createIdentity()]));
  const hosts = Object.fromEntries(names.map((machine) => [machine, processes()]));
  const users = (stores: readonly string[]) =>
    Object.entries(identities).map(([machine, { publicKey }]) => ({
      machine,
      publicKey,
      role: stores.includes(machine) ? ("store" as const) : ("machine" as const),
    }));
  const first = { listen: { host: "127.0.0.1", port }, monitorPort };
  const local = (machine: string) => ({
    cluster: name,
    machine,
    dir: `${dir}/${machine}`,
    first,
    users: async (stores: readonly string[]) => users(stores),
    host: hosts[machine] as Processes,
    binary,
  });
  const machines = Object.fromEntries(names.map((machine) => [machine, openStoreMachine(local(machine))]));
  const stores: NatsStore[] = [];
  let founding = 0;

  const cluster: Cluster = {
    name,
    dir,
    machines,
    hosts,
    first: [`127.0.0.1:${port}`],
    store(machine, options) {
      const store = openStore({
        nkeySeed: identities[machine]?.seed ?? "",
        cluster: name,
        machine,
        deadlineMs: 20_000,
        ...options,
      });
      stores.push(store);
      return store;
    },
    async set(generation, members) {
      founding += 1;
      const servers: StoreServer[] = [];
      for (const machine of members) {
        const ports = [await freePort(), await freePort(), await freePort()] as const;
        const [client, routePort, monitoring] = ports;
        servers.push({ machine, host: "127.0.0.1", port: client, routePort, monitorPort: monitoring });
      }
      return { generation, id: `r${founding}`, servers, routeSecret: `secret-${name}-${founding}` };
    },
    refounding(from, to) {
      const carry = async (fenced: readonly string[]) => {
        const servers: string[] = [];
        for (const machine of fenced) {
          const record = await readRecord(`${dir}/${machine}`);
          const listen = entryOf(record, from.generation)?.listen ?? first.listen;
          servers.push(`${listen.host}:${listen.port}`);
        }
        const old = cluster.store(fenced[0] ?? "", { servers });
        const target = cluster.store(to.servers[0]?.machine ?? "", {
          servers: to.servers.map((server) => `${server.host}:${server.port}`),
          generation: to.generation,
        });
        const file = `${dir}/${to.id}.ployz`;
        await writeBackup(
          file,
          snapshotStore(old.session, { createdAt: "2026-01-01T00:00:00Z", fenced: true }),
        );
        const options = { replicas: to.servers.length, generation: to.generation };
        await restoreStore(target.session, await readBackup(file), options);
        await Promise.all([old.close(), target.close()]);
      };
      return { from, to, machine: (machine) => machines[machine] as StoreMachine, carry };
    },
    async move(from, to, before = () => undefined) {
      const refounding = cluster.refounding(from, to);
      let broken: unknown;
      const machine = (wanted: string) => {
        const real = machines[wanted] as StoreMachine;
        return {
          ...real,
          ...Object.fromEntries(
            (["found", "fence", "retire", "serve"] as const).map((call) => [
              call,
              async (...args: [never, never]) => {
                await broken;
                return real[call](...args);
              },
            ]),
          ),
        } as StoreMachine;
      };
      return refound({
        ...refounding,
        machine,
        async carry(fenced) {
          await broken;
          return refounding.carry(fenced);
        },
        onStage(stage) {
          broken = Promise.resolve().then(() => before(stage));
          Promise.resolve(broken).catch(() => undefined);
        },
      });
    },
    async ensure(machine, generation) {
      const entry = entryOf(await readRecord(`${dir}/${machine}`), generation);
      return ensureServer(
        {
          ...local(machine),
          generation,
          listen: entry?.listen ?? first.listen,
          monitorPort: entry?.monitorPort ?? first.monitorPort,
          users: users(entry?.routes?.servers.map((server) => server.machine) ?? [machine]),
        },
        { host: hosts[machine] as Processes, binary },
      );
    },
    async cleanup() {
      await Promise.all(stores.map((store) => store.close()));
      for (const host of Object.values(hosts)) {
        await host.cut();
      }
      await rm(dir, { recursive: true, force: true });
    },
  };
  await cluster.ensure("m1", 1);
  const founder = cluster.store("m1", { servers: cluster.first });
  await initStore(founder.session);
  await founder.close();
  return cluster;
}

/** Appends commits one after the other, each expecting its predecessor, and records acknowledged ones. */
export function continuousWriter(store: NatsStore, namespace = "writer") {
  const acknowledged: { readonly operation: string; readonly revision: number }[] = [];
  const refused: unknown[] = [];
  let stopped = false;
  const run = async () => {
    let expected = 0;
    for (let n = 0; !stopped; ) {
      try {
        const result = await store.commits.append({ namespace, operation: `op${n}` }, expected);
        if (!result.committed)
          throw new Error(`op${n} conflicts although it is the only writer: ${JSON.stringify(result)}`);
        acknowledged.push({ operation: `op${n}`, revision: result.revision });
        expected = result.revision;
        n += 1;
      } catch (error) {
        refused.push(error);
        if ((error as { code?: string }).code !== "store_unavailable") throw error;
      }
    }
  };
  const running = run();
  running.catch(() => undefined);
  return {
    acknowledged,
    refused,
    async stop() {
      stopped = true;
      await running;
      return acknowledged;
    },
    /** Resolves when `count` more were acknowledged. */
    async more(count: number) {
      const want = acknowledged.length + count;
      for (;;) {
        if (acknowledged.length >= want) return;
        await Promise.race([running, new Promise((resolve) => setImmediate(resolve))]);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
  };
}
