import { loadavg, networkInterfaces } from "node:os";
import type { AdoptionReport } from "@ployz/primitives/client";
import {
  type Allowed,
  type Commands,
  FEATURES,
  type KeptPorts,
  type MachineObservation,
  type ObservedInstance,
  type Right,
} from "@ployz/primitives/protocol";
import type { Runtime } from "@ployz/runtime";
import { askFollower } from "../host/follower-client.ts";
import { takenPorts, takenUdpPorts } from "../host/listeners.ts";
import type { HangCounts } from "../state/hangs.ts";
import { observed } from "./labels.ts";
import { type ObservedVolumes, observeVolumes } from "./volumes/observe.ts";
import type { Storage } from "./volumes/storage.ts";

export interface ObserveDeps {
  readonly runtime: Runtime;
  readonly hangs: Pick<HangCounts, "of">;
  readonly self: string;
  readonly version: string;
  /** Receives no new work. */
  readonly draining: boolean;
  readonly build: string;
  /** The gateway's listen address; `0.0.0.0` is every address. */
  readonly gatewayAddress: string;
  readonly overlayAddress: string;
  readonly gatewaySocket: string;
  readonly storage: Storage;
  readonly overcommitRatio: number;
  readonly mtu: number;
  readonly keptPorts: KeptPorts;
  readonly refuses: readonly Right[];
  readonly allowed: Allowed;
  /** Committed instances that did not start with the daemon, and why. */
  readonly notStarted: AdoptionReport["failed"];
  /** Of logs that do not reach their server. */
  readonly logProblems: readonly string[];
}

/** Reads this machine's live state. */
export async function observeMachine(
  deps: ObserveDeps,
  { namespaces, usage = false }: Commands["machine.observe"]["args"],
): Promise<MachineObservation> {
  const [facts, { list, runs }, tcpPorts, udpPorts, volumes, down] = await Promise.all([
    deps.runtime.facts(),
    observedInstances(deps, namespaces, usage),
    takenPorts("tcp", deps.gatewayAddress),
    takenUdpPorts(deps.overlayAddress),
    lookAtVolumes(deps, namespaces),
    foundDown(deps.gatewaySocket),
  ]);
  return {
    machine: deps.self,
    version: deps.version,
    build: deps.build,
    runtime: facts.kind,
    runtimeVersion: facts.version,
    ...(facts.kind === "process" && { images: true as const }),
    arch: facts.arch,
    cpus: facts.cpus,
    memoryBytes: facts.memoryBytes,
    memoryFreeBytes: facts.memoryFreeBytes,
    diskFreeBytes: facts.diskFreeBytes,
    ...(facts.inodes && { inodes: facts.inodes }),
    clockMs: Date.now(),
    ...(down && { down }),
    draining: deps.draining,
    ...(volumes.seen !== undefined && { storage: volumes.seen.storage }),
    volumes: volumes.seen?.volumes ?? [],
    mtu: deps.mtu,
    load1: loadavg()[0] ?? 0,
    tcpPorts,
    udpPorts,
    addresses: ownAddresses(),
    keptPorts: deps.keptPorts,
    refuses: deps.refuses,
    allowed: deps.allowed,
    features: FEATURES,
    instances: list,
    ...(runs.length > 0 && { runs }),
    problems: [
      ...(facts.limits ? [] : ["resource limits are not enforced here"]),
      ...volumes.problems,
      ...deps.logProblems,
      ...deps.notStarted.map(({ what, error }) => `instance ${what} does not start: ${error.message}`),
    ],
  };
}

/** IPv4, without those of loopback. */
const ownAddresses = (): readonly string[] =>
  Object.values(networkInterfaces())
    .flatMap((addresses = []) => addresses)
    .flatMap(({ family, internal, address }) => (family === "IPv4" && !internal ? [address] : []))
    .sort();

const GATEWAY_MS = 1_000;

/** Ids of instances: see `live` in follower/gateway.ts. Undefined: the gateway does not answer. */
async function foundDown(socket: string): Promise<readonly string[] | undefined> {
  try {
    const { status } = await askFollower(socket, undefined, AbortSignal.timeout(GATEWAY_MS));
    const { down } = status as { readonly down?: readonly string[] };
    return down && [...new Set(down.map((one) => one.slice(one.lastIndexOf(" ") + 1)))].sort();
  } catch {
    return undefined;
  }
}

async function observedInstances(
  { runtime, hangs }: Pick<ObserveDeps, "runtime" | "hangs">,
  namespaces: readonly string[] | undefined,
  usage: boolean,
): Promise<{
  readonly list: readonly ObservedInstance[];
  readonly runs: NonNullable<MachineObservation["runs"]>;
}> {
  const all = await runtime.list();
  const runs = all.flatMap(({ id, labels: { kind, namespace } }) =>
    kind === "run" && namespace !== undefined && namespaces?.includes(namespace) !== false
      ? [{ id, namespace }]
      : [],
  );
  const seen = all.flatMap((status) => {
    const instance = observed(status);
    if (instance === undefined || namespaces?.includes(instance.namespace) === false) return [];
    const hung = hangs.of(instance.id, instance.restarts ?? 0);
    return [hung === undefined ? instance : { ...instance, hangs: hung }];
  });
  if (!usage) return { list: seen, runs };
  const list = await Promise.all(
    seen.map(async (instance) =>
      // Between two lives, or without control groups, there are no counters.
      instance.pid === undefined
        ? instance
        : { ...instance, ...(await runtime.stats(instance.id).catch(() => undefined)) },
    ),
  );
  return { list, runs };
}

/** A pool that does not answer must not hide the rest of the machine. Callers that need a pool that failed to open retry it. */
async function lookAtVolumes(
  { storage, overcommitRatio }: ObserveDeps,
  namespaces: readonly string[] | undefined,
): Promise<{ readonly seen?: ObservedVolumes; readonly problems: readonly string[] }> {
  const pool = storage.present();
  if (pool === undefined) return { problems: storage.problems() };
  try {
    return { seen: await observeVolumes(pool, namespaces, overcommitRatio), problems: storage.problems() };
  } catch (error) {
    return { problems: [`no volumes: ${error instanceof Error ? error.message : String(error)}`] };
  }
}
