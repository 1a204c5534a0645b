import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { projectZone } from "@ployz/dns";
import { type Handlers, type NatsStore, openRpc, openStore, serve } from "@ployz/nats-store";
import {
  buildTable,
  type Followed,
  followMembership,
  isolate,
  loadConfig,
  type Membership,
  mirrorRecords,
  openMachines,
  openRecords,
  pathsOf,
  publishHandler,
  type Records,
  residentsOf,
  runFollower,
  type Served,
  watchUnfinished,
  writeMembership,
  zoneOf,
} from "@ployz/ployzd/parts";
import type {
  ClusterRecord,
  CommandName,
  Json,
  MachineRecord,
  Machines,
  Store,
} from "@ployz/primitives/protocol";
import type { MemoryMachines } from "@ployz/primitives/testing";
import { pino } from "pino";

/** What the agents of a cluster share. */
export interface AgentSetting {
  readonly dir: string;
  readonly cluster: ClusterRecord;
  /** All members. */
  readonly members: readonly MachineRecord[];
  /** Of the store. */
  readonly servers: readonly string[];
  /** The kernels of the machines of this process. */
  readonly kernels: MemoryMachines;
  /** A machine's copy of a namespace's last commit is another one. `daemon`: it has it; `gateway` and `dns`: it serves it. */
  applied(machine: string, what: "daemon" | "gateway" | "dns", namespace: string, revision: number): void;
}

export interface AgentOptions {
  readonly record: MachineRecord;
  readonly seed: string;
  /** Whether its followers make routes, zone and policy of each commit, as all do on machines of their own. */
  readonly projects: boolean;
}

/** The daemon and followers of one machine, in this process. */
export interface Agent {
  readonly nats: NatsStore;
  readonly store: Store;
  readonly machines: Machines;
  readonly mirror: Records;
  membership(): Membership;
  /** Resolves when daemon and followers have everything that the store has. */
  synced(): Promise<void>;
  close(): Promise<void>;
}

/** Commands that the kernel in memory answers. */
const KERNEL: readonly CommandName[] = [
  "machine.observe",
  "operation.running",
  "bundle.resolve",
  "bundle.ensure",
  "instance.reserve",
  "instance.release",
  "instance.secrets",
  "instance.start",
  "instance.ready",
  "instance.stop",
  "instance.resume",
  "instance.retire",
  "instance.remove",
  "instance.logs",
  "gateway.hold",
  "volume.snapshots",
  "volume.expired",
];

/** About as long as the process runtime takes, and the shortest readiness check; see docs/benchmarks.md. */
const TAKES_MS: Partial<Readonly<Record<CommandName, number>>> = {
  "instance.start": 350,
  "instance.ready": 1_000,
  "instance.retire": 300,
};

/** Opens an agent with an empty disk. */
export async function openAgent(
  setting: AgentSetting,
  { record, seed, projects }: AgentOptions,
): Promise<Agent> {
  const { cluster, members, servers, kernels } = setting;
  const dir = join(setting.dir, record.id);
  const socket = join(dir, "run", "ployzd.sock");
  const config = await loadConfig(
    join(dir, "config.toml"),
    { PLOYZ_DATA_DIR: dir, PLOYZ_SOCKET: socket },
    false,
  );
  const paths = pathsOf(config);
  await mkdir(join(dir, "run"), { recursive: true });
  await mkdir(paths.identity, { recursive: true });
  await writeFile(paths.nkeySeed, seed);
  const initial: Membership = { v: 1, cluster, machine: record, machines: members, storeServers: servers };
  await writeMembership(paths.membership, initial);
  const log = pino({ level: "fatal" });
  const stop = new AbortController();
  const { signal } = stop;

  const nats = openStore({ servers, nkeySeed: seed, cluster: cluster.id, machine: record.id, generation: 1 });
  const { store } = openRecords(nats, () => {});
  const mirror = await mirrorRecords({ dir: join(paths.mirror, "daemon"), store: nats });
  mirror.onChange((change) => {
    if (change.type === "head") setting.applied(record.id, "daemon", change.entry.key, change.entry.revision);
  });
  const membership = followMembership({
    ...{ store, storePort: config.storePort, initial, signal, log() {} },
    // The servers are on loopback, not on the overlay.
    apply: (next) => writeMembership(paths.membership, { ...next, storeServers: servers }),
  });
  const machines = openMachines(openRpc(nats.session), {
    self: record.id,
    local: () => undefined,
    versionOf: () => undefined,
  });
  watchUnfinished({
    ...{ store, machines, self: record.id, signal, session: nats.session, log },
    runner: {
      isRunning: () => false,
      resolve: (operation) => Promise.reject(new Error(`${operation} stays`)),
    },
    heads: () => mirror.heads().map(({ value }) => ({ commit: value })),
    stopped: { has: () => false },
    resume: () => Promise.resolve(),
  });
  const published = publishHandler({
    mirror,
    gatewaySocket: paths.gatewaySocket,
    dnsSocket: paths.dnsSocket,
  });
  const served = serve(nats.session, {
    calls: {
      ...kernelCalls(kernels, record.id),
      "publish.await": async (args, { signal, progress }) =>
        (await published["publish.await"](args as { namespace: string; revision: number }, {
          signal,
          progress,
        })) as Json,
    },
  });
  const follow = async (name: "gateway" | "dns") => {
    const made = light(name, record.id, projects, setting);
    const close = await runFollower(name, config, log, async () => made.served);
    return { close, synced: made.synced };
  };
  const followers = await Promise.all([follow("gateway"), follow("dns")]);
  return {
    ...{ nats, store, machines, mirror },
    membership: membership.known,
    async synced() {
      await Promise.all([served.ready(), mirror.synced(), ...followers.map((one) => one.synced(mirror))]);
    },
    async close() {
      stop.abort();
      served.close();
      await Promise.all(followers.map(({ close }) => close()));
      await mirror.close();
      await nats.close();
      await membership.ended;
    },
  };
}

function kernelCalls(kernels: MemoryMachines, machine: string): NonNullable<Handlers["calls"]> {
  return Object.fromEntries(
    KERNEL.map((command) => [
      command,
      async (args: Json, { meta, signal }) => {
        await sleep(TAKES_MS[command] ?? 0, undefined, { signal });
        const options = { timeoutMs: 60_000, signal, ...(meta.fence && { fence: meta.fence }) };
        return (await kernels.call(machine, command, args as never, options)) as Json;
      },
    ]),
  );
}

/** A follower's server without HAProxy or a socket of DNS: it makes what they would serve. */
function light(name: "gateway" | "dns", machine: string, projects: boolean, setting: AgentSetting) {
  const seen = new Map<string, number>();
  let look = () => {};
  const work = name === "gateway" ? routes : names;
  const served: Served = {
    async apply(followed) {
      if (projects) work(followed, machine);
      for (const { commit, revision } of followed.heads) {
        if (seen.get(commit.namespace) === revision) continue;
        seen.set(commit.namespace, revision);
        setting.applied(machine, name, commit.namespace, revision);
      }
      look();
    },
    status: () => ({ dropped: [] }),
    close: () => Promise.resolve(),
  };
  return {
    served,
    /** Serves every namespace of a mirror that is synced. */
    synced: async (mirror: Records) => {
      await mirror.synced();
      await new Promise<void>((resolve) => {
        look = () => {
          if (mirror.heads().every(({ key, revision }) => (seen.get(key) ?? 0) >= revision)) resolve();
        };
        look();
      });
    },
  };
}

function routes({ heads }: Followed): void {
  buildTable(heads);
}

function names(followed: Followed, machine: string): void {
  projectZone(zoneOf(followed.heads, followed.machines), { overlay: "10.101.0.0/16" });
  isolate(residentsOf(followed), followed.machines, { self: machine, gatewayPorts: [80, 443] });
}
