import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openServiceHost, stopS6 } from "@ployz/exec";
import {
  lookAtCluster,
  machineList,
  notableOperations,
  operationIds,
  type StatusSource,
  systemClock,
} from "@ployz/ployzd/parts";
import { deployPrimitive, runOperation } from "@ployz/primitives";
import { createMemoryMachines } from "@ployz/primitives/testing";
import { type Figure, quantile, type Suite } from "../curve.ts";
import { timed } from "../timed.ts";
import { BUNDLE, deployedWorld, inputOf, manifestOf, namespaceId } from "../world.ts";
import { type Agent, openAgent } from "./agent.ts";
import { type Fleet, rssPerAgent, startFleet } from "./fleet.ts";
import { fillKernels, nowMs } from "./protocol.ts";
import { agentsOf, CLUSTER, seedStore, usersOf } from "./seed.ts";
import { type StoreServers, startStore } from "./store-servers.ts";

/** In memory: the disks of two hundred machines are not one disk. The store's servers are on this machine's. */
const DISKS = "/dev/shm";
const COMMITS = 8;
const IDLE_MS = 30_000;
const LOOKS = 5;
const REACH_MS = 120_000;

/** Light agents on real store servers: the first one is in this process and coordinates, the others are in processes of up to fifty. */
export const agents: Suite = async ({ machines, progress, failed }) => {
  progress("deploying namespaces in memory");
  const world = await deployedWorld(machines);
  const assigned = await agentsOf(world);
  const [own, ...others] = assigned;
  if (own === undefined) throw new Error("no machines");
  const dir = await mkdtemp(join(tmpdir(), "ployz-scale-"));
  const disks = await mkdtemp(join(DISKS, "ployz-scale-"));
  const services = await openServiceHost({
    kind: "s6",
    dir: join(dir, "services"),
    logDir: join(dir, "log"),
  });
  const closing: (() => Promise<unknown>)[] = [];
  try {
    progress("store servers");
    const servers = await startStore(CLUSTER.id, usersOf(assigned), { dir, services });
    await seedStore(world, servers.servers, assigned);
    progress("agents");
    const members = assigned.map(({ record }) => record);
    const setting = { dir: disks, cluster: CLUSTER, members, servers: servers.servers };
    const worker = new URL("./agents-worker.js", import.meta.url).pathname;
    const start = nowMs();
    const fleet = await startFleet(worker, { ...setting, agents: others });
    closing.unshift(() => fleet.close());
    const kernels = createMemoryMachines({ clock: systemClock, machines: members.map(({ id }) => id) });
    for (const { id } of members) kernels.machine(id).bundles.add(BUNDLE);
    fillKernels(kernels, [own]);
    const agent = await openAgent({ ...setting, kernels, applied() {} }, own);
    closing.unshift(() => agent.close());
    await agent.synced();
    const bootMs = (await fleet.synced()) - start;
    return [
      { name: "boot of all at once, empty mirrors", unit: "ms", value: bootMs },
      { name: "configuration of a store server", unit: "kB", value: servers.configBytes / 1_000 },
      ...(await measure({ machines, agent, fleet, servers, progress, failed })),
    ];
  } finally {
    for (const close of closing) await close();
    await stopS6(join(dir, "services"));
    for (const folder of [dir, disks]) await rm(folder, { recursive: true, force: true });
  }
};

interface Running {
  readonly machines: number;
  readonly agent: Agent;
  readonly fleet: Fleet;
  readonly servers: StoreServers;
  progress(text: string): void;
  failed(part: string, error: unknown): void;
}

async function measure(running: Running): Promise<readonly Figure[]> {
  const { progress } = running;
  const figures: Figure[] = [];
  const parts = { "idle traffic": idle, commits, looks, deploys, "loss of the store's leader": leaderLost };
  for (const [name, part] of Object.entries(parts)) {
    progress(name);
    try {
      figures.push(...(await part(running)));
    } catch (error) {
      running.failed(name, error);
    }
  }
  return figures;
}

async function idle({ machines, servers, fleet }: Running): Promise<readonly Figure[]> {
  await sleep(5_000); // what follows the boot has passed
  const [before, usage] = [await servers.traffic(), await fleet.usage()];
  await sleep(IDLE_MS);
  const [after, later] = [await servers.traffic(), await fleet.usage()];
  const seconds = IDLE_MS / 1_000;
  const cpu =
    later.reduce((sum, { cpuMs }) => sum + cpuMs, 0) - usage.reduce((sum, { cpuMs }) => sum + cpuMs, 0);
  return [
    {
      ...{ name: "idle: messages of a machine with the store", unit: "kB/s", target: 2 },
      value: (after.bytes - before.bytes) / seconds / machines / 1_000,
    },
    {
      ...{ name: "idle: messages of a machine with the store", unit: "1/min" },
      value: ((after.messages - before.messages) / seconds / machines) * 60,
    },
    {
      name: "idle: processor time of a machine",
      unit: "ms/min",
      value: (cpu / IDLE_MS / (machines - 1)) * 60_000,
    },
    { name: "memory of an agent (daemon and two followers)", unit: "MB", value: rssPerAgent(later) / 1e6 },
  ];
}

/** The same commit again, as a new one. */
async function commitAgain({ agent }: Running, namespace: string) {
  const last = await agent.store.commits.last(namespace);
  if (last === undefined) throw new Error(`no commit of ${namespace}`);
  const commit = { ...last.value, operation: operationIds.newOperationId() };
  const answer = await agent.store.commits.append(commit, last.revision);
  if (!answer.committed) throw new Error(`another writer commits ${namespace}`);
  return { namespace, revision: answer.revision };
}

async function commits(running: Running): Promise<readonly Figure[]> {
  const { fleet } = running;
  const names = { daemon: "daemon", gateway: "gateway follower", dns: "DNS follower" } as const;
  const took: Record<keyof typeof names, number[]> = { daemon: [], gateway: [], dns: [] };
  for (let round = 0; round < COMMITS; round++) {
    const start = nowMs();
    const commit = await commitAgain(running, namespaceId(0));
    for (const what of ["daemon", "gateway", "dns"] as const)
      took[what].push(...(await fleet.reached(what, commit, REACH_MS)).map((at) => at - start));
  }
  return (["daemon", "gateway", "dns"] as const).flatMap((what) =>
    [0.5, 0.99].map((share) => ({
      ...{ name: `commit to ${names[what]}, p${share * 100}`, unit: "ms", target: 2_000 },
      value: quantile(took[what], share),
    })),
  );
}

async function looks({ agent }: Running): Promise<readonly Figure[]> {
  const source: StatusSource = {
    ...{ membership: agent.membership, machines: agent.machines, store: agent.store },
    heads: () => agent.mirror.heads().map(({ value, revision }) => ({ commit: value, revision })),
    storeConnected: () => agent.nats.session.connected(),
    records: { list: () => Promise.resolve([]) },
    removed: () => false,
    alerts: { records: () => [], state: () => undefined },
    runner: { notable: () => notableOperations(agent.store) },
    secrets: { held: () => Promise.resolve([]) },
    substrate: { wantsIsolation: true, wireguard: { status: () => Promise.resolve(undefined) } },
  };
  const parts: Readonly<
    Record<
      string,
      (signal: AbortSignal) => Promise<{ readonly machines: readonly { readonly reachable: boolean }[] }>
    >
  > = {
    "machine ls": (signal) => machineList(source, signal),
    "status and ps": async (signal) => (await lookAtCluster(source, signal)).status,
  };
  const figures: Figure[] = [];
  for (const [name, look] of Object.entries(parts)) {
    const took: number[] = [];
    for (let round = 0; round < LOOKS; round++)
      took.push(
        await timed(async () => {
          const { machines } = await look(new AbortController().signal);
          if (!machines.every(({ reachable }) => reachable)) throw new Error("a machine did not answer");
        }),
      );
    figures.push({ name, unit: "ms", target: 1_000, value: quantile(took, 0.5) });
  }
  return figures;
}

async function deploys({ agent, machines }: Running): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  const figure = async (name: string, change: number, everyMachine: boolean) => {
    const marks: Partial<Record<"planned" | "committed" | "published", number>> = {};
    let [entries, writing] = [0, 0];
    const journals: typeof agent.store.journals = {
      ...agent.store.journals,
      async append(...args) {
        entries += 1;
        const start = nowMs();
        const mine = await agent.store.journals.append(...args);
        writing += nowMs() - start;
        return mine;
      },
    };
    const { signal } = new AbortController();
    const start = nowMs();
    const outcome = await runOperation(
      deployPrimitive,
      { input: inputOf(manifestOf(namespaceId(1), change, machines, everyMachine)), mode: "apply" },
      {
        ports: { store: { ...agent.store, journals }, machines: agent.machines },
        ...{ clock: systemClock, ids: operationIds, primitives: new Map() },
        self: { machine: agent.membership().machine.id, by: "scale" },
        ...{ generation: () => 1, signal },
        emit(event) {
          if (event.type === "plan") marks.planned = nowMs() - start;
          if (event.type === "committed") marks.committed = nowMs() - start;
          if (event.type === "step" && event.state === "done" && event.step.startsWith("publish@"))
            marks.published = nowMs() - start;
        },
      },
    );
    if (outcome.kind !== "operation" || outcome.state !== "done") throw new Error(JSON.stringify(outcome));
    figures.push({ name, unit: "ms", target: 60_000, value: nowMs() - start });
    for (const [mark, value] of Object.entries(marks))
      figures.push({ name: `${name}: until it is ${mark}`, unit: "ms", value });
    figures.push({ name: `${name}: entries of its journal`, unit: "", value: entries });
    figures.push({ name: `${name}: writing its journal`, unit: "ms", value: writing });
  };
  await figure("deploy of one changed service", 2, false);
  await figure("deploy of an every-machine service", 2, true);
  await figure("the same, replaced", 3, true);
  return figures;
}

/** From the kill to a commit that is tried at once, and until every daemon has it. */
async function leaderLost(running: Running): Promise<readonly Figure[]> {
  const { agent, servers, fleet } = running;
  const { jsm } = await agent.nats.session.link();
  const leader = (await jsm.streams.info("PLOYZ_COMMITS")).cluster?.leader?.split("-").at(-1);
  if (leader === undefined) throw new Error("the store has no leader");
  const start = nowMs();
  await servers.kill(leader);
  const commit = await commitAgain(running, namespaceId(0));
  const committed = nowMs() - start;
  const reached = await fleet.reached("daemon", commit, REACH_MS);
  return [
    { name: "store leader lost: next commit", unit: "ms", value: committed },
    {
      name: "store leader lost: that commit with every daemon",
      unit: "ms",
      value: Math.max(...reached) - start,
    },
  ];
}
