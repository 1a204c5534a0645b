import type { AlertCondition, MachineObservation } from "@ployz/primitives/protocol";
import type { PeerStatus } from "@ployz/wireguard";
import type { FollowerState } from "../host/follower-client.ts";

/** This machine at the time of a scrape. A part without an answer is absent, and so are its samples. */
export interface Snapshot {
  readonly observation: MachineObservation | undefined;
  /** Peers by machine. */
  readonly peers: Readonly<Record<string, PeerStatus>>;
  readonly followers: Readonly<Record<"gateway" | "dns", FollowerState | undefined>>;
  readonly storeConnected: boolean;
  /** Sequence in the store of the newest commit and fact that the daemon's mirror has. */
  readonly mirror: { readonly commits: number; readonly facts: number };
  readonly operationsRunning: number;
  /** Conditions that alerts have sent and that last. */
  readonly conditions: readonly AlertCondition[];
}

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One metric that is read at the time of a scrape. Names follow Prometheus: base units, `_total` for counters. */
export interface Family {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
  readonly labels: readonly string[];
  samples(snapshot: Snapshot): readonly Sample[];
}

const gauge = (
  name: string,
  help: string,
  labels: readonly string[],
  samples: Family["samples"],
): Family => ({ name: `ployz_${name}`, type: "gauge", help, labels, samples });
const counter = (...family: Parameters<typeof gauge>): Family => ({ ...gauge(...family), type: "counter" });

const one = (value: number | undefined): readonly Sample[] => (value === undefined ? [] : [{ value }]);
const truth = (value: boolean): number => (value ? 1 : 0);

type Machine = MachineObservation;
type Instance = Machine["instances"][number];
type Volume = Machine["volumes"][number];
type Storage = NonNullable<Machine["storage"]>;

const ofMachine = (name: string, help: string, read: (seen: Machine) => number) =>
  gauge(`machine_${name}`, help, [], ({ observation }) => one(observation && read(observation)));

const ofPool = (name: string, help: string, read: (seen: Storage) => number) =>
  gauge(`pool_${name}`, help, [], ({ observation }) =>
    one(observation?.storage && read(observation.storage)),
  );

const INSTANCE = ["namespace", "service", "slot", "id"];
const ofInstances =
  (read: (seen: Instance) => number | undefined) =>
  ({ observation }: Snapshot): readonly Sample[] =>
    (observation?.instances ?? [])
      .filter(({ kind }) => kind === "service")
      .flatMap((seen) => {
        const { namespace, service, slot, id } = seen;
        const labels = { namespace, service, slot: String(slot), id };
        return one(read(seen)).map(({ value }) => ({ labels, value }));
      });

const VOLUME = ["namespace", "volume", "state", "id"];
const ofVolumes =
  (read: (seen: Volume) => number | undefined) =>
  ({ observation }: Snapshot): readonly Sample[] =>
    (observation?.volumes ?? []).flatMap((seen) => {
      const { namespace, name, state, id } = seen;
      const labels = { namespace, volume: name, state, id };
      return one(read(seen)).map(({ value }) => ({ labels, value }));
    });

const ofPeers =
  (read: (peer: PeerStatus) => number | undefined) =>
  ({ peers }: Snapshot): readonly Sample[] =>
    Object.entries(peers).flatMap(([peer, seen]) =>
      one(read(seen)).map(({ value }) => ({ labels: { peer }, value })),
    );

/** Of an answer of the gateway's process: see `live` in follower/gateway.ts. */
const downServers = (state: FollowerState | undefined): number | undefined => {
  const { down } = (state?.status ?? {}) as { readonly down?: readonly string[] };
  return down?.length;
};

export const FAMILIES: readonly Family[] = [
  ofMachine("cpus", "Processors.", ({ cpus }) => cpus),
  ofMachine("load1", "Load average over one minute.", ({ load1 }) => load1),
  ofMachine("memory_bytes", "Memory.", ({ memoryBytes }) => memoryBytes),
  ofMachine("memory_free_bytes", "Memory that new programs can use.", (seen) => seen.memoryFreeBytes),
  ofMachine("disk_free_bytes", "Free space on the disk of the data folder.", (seen) => seen.diskFreeBytes),
  ofMachine("draining", "1 while the machine takes no new work.", ({ draining }) => truth(draining)),
  ofMachine("problems", "Problems that the machine reports of itself.", ({ problems }) => problems.length),
  ofPool("available_bytes", "Space that the pool has left for Ployz.", (seen) => seen.availableBytes),
  ofPool("used_bytes", "Space that Ployz uses on the pool.", ({ usedBytes }) => usedBytes),
  ofPool("promised_bytes", "Sum of the quotas of active volumes.", ({ promisedBytes }) => promisedBytes),
  ofPool("promisable_bytes", "Limit on the sum of quotas.", ({ promisableBytes }) => promisableBytes),
  gauge(
    "volume_used_bytes",
    "Space of a copy of a volume, with its snapshots.",
    VOLUME,
    ofVolumes((seen) => seen.usedBytes),
  ),
  gauge(
    "volume_referenced_bytes",
    "Data of a copy of a volume.",
    VOLUME,
    ofVolumes((seen) => seen.referencedBytes),
  ),
  gauge(
    "volume_quota_bytes",
    "Quota of a copy of a volume, if it has one.",
    VOLUME,
    ofVolumes((seen) => seen.quotaBytes),
  ),
  gauge(
    "instance_running",
    "1 while the instance runs.",
    INSTANCE,
    ofInstances(({ state }) => truth(state === "running")),
  ),
  gauge(
    "instance_memory_bytes",
    "Memory of the instance.",
    INSTANCE,
    ofInstances((seen) => seen.memoryBytes),
  ),
  counter(
    "instance_cpu_seconds_total",
    "Processor time of the instance.",
    INSTANCE,
    ofInstances(({ cpuNanos }) => cpuNanos && cpuNanos / 1e9),
  ),
  counter(
    "instance_restarts_total",
    "How often the instance's program was started again.",
    INSTANCE,
    ofInstances(({ restarts }) => restarts),
  ),
  gauge(
    "instance_oom_killed",
    "1 when the instance's last end was for want of memory.",
    INSTANCE,
    ofInstances(({ oomKilled = false }) => truth(oomKilled)),
  ),
  gauge("store_connected", "1 while the daemon is connected to the store.", [], ({ storeConnected }) =>
    one(truth(storeConnected)),
  ),
  gauge(
    "mirror_sequence",
    "Newest entry of each of the store's streams that this machine has a copy of.",
    ["stream"],
    ({ mirror }) => Object.entries(mirror).map(([stream, value]) => ({ labels: { stream }, value })),
  ),
  gauge("operations_running", "Operations that this daemon runs.", [], (seen) => one(seen.operationsRunning)),
  gauge(
    "alerts",
    "1 for each condition that alerts have sent and that lasts; the same on every machine.",
    ["code", "about"],
    ({ conditions }) => conditions.map(({ code, about }) => ({ labels: { code, about }, value: 1 })),
  ),
  gauge(
    "follower_up",
    "1 while the process that feeds the gateway or the DNS server answers.",
    ["follower"],
    ({ followers }) =>
      Object.entries(followers).map(([follower, state]) => ({
        labels: { follower },
        value: truth(state !== undefined),
      })),
  ),
  gauge("gateway_servers_down", "Instances that this gateway finds down.", [], ({ followers }) =>
    one(downServers(followers.gateway)),
  ),
  gauge(
    "wireguard_last_handshake_seconds",
    "Time of the last handshake with a machine, since the epoch.",
    ["peer"],
    ofPeers(({ latestHandshake }) => latestHandshake && latestHandshake / 1000),
  ),
  counter(
    "wireguard_received_bytes_total",
    "Bytes received from a machine.",
    ["peer"],
    ofPeers((peer) => peer.receivedBytes),
  ),
  counter(
    "wireguard_sent_bytes_total",
    "Bytes sent to a machine.",
    ["peer"],
    ofPeers((peer) => peer.sentBytes),
  ),
];
