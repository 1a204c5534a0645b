import { errorBody } from "@ployz/errors";
import type {
  InstanceList,
  InstanceRow,
  MachineList,
  MachineRow,
  MeshStatus,
  NameList,
} from "@ployz/primitives/client";
import type { Commands, Commit, MachineRecord } from "@ployz/primitives/protocol";
import { LOOK } from "@ployz/primitives/protocol";
import { skewOf } from "../clock.ts";
import type { Member } from "../daemon/member-parts.ts";

type MachineSource = Pick<Member, "membership" | "heads" | "machines"> & {
  readonly substrate: { readonly wireguard: Pick<Member["substrate"]["wireguard"], "status"> };
};

/** Observes all members concurrently; one that does not answer gets a row with the reason. */
export async function machineList(
  member: MachineSource,
  signal: AbortSignal,
  args: Commands["machine.observe"]["args"] = {},
): Promise<MachineList> {
  const { machines: records, machine: self } = member.membership();
  const peers = new Map(
    (await member.substrate.wireguard.status())?.peers.map((peer) => [peer.publicKey, peer]),
  );
  const machines = await Promise.all(
    records.map(async (record): Promise<MachineRow> => {
      const handshake = peers.get(record.publicKey)?.latestHandshake;
      const place = placeOf(record, member.heads());
      const age =
        record.id === self.id || handshake === undefined
          ? {}
          : { handshakeAgeMs: Math.max(0, Date.now() - handshake) };
      try {
        const asked = Date.now();
        const options = { ...LOOK, signal };
        const observation = await member.machines.call(record.id, "machine.observe", args, options);
        const { clockMs } = observation;
        const clockSkewMs = clockMs === undefined ? 0 : skewOf(clockMs, { asked, answered: Date.now() });
        const skew = clockSkewMs === 0 ? {} : { clockSkewMs };
        return { record, ...place, reachable: true, ...age, ...skew, observation };
      } catch (error) {
        return { record, ...place, reachable: false, ...age, error: errorBody(error) };
      }
    }),
  );
  const byName = new Intl.Collator("en", { numeric: true }).compare; // m2 before m10
  return { kind: "machines", machines: machines.sort((a, b) => byName(a.record.id, b.record.id)) };
}

/** Drained is an observation, never stored: the machine drains, and no commit places anything there. */
function placeOf(
  { id, state }: MachineRecord,
  heads: readonly { readonly commit: Commit }[],
): Pick<MachineRow, "lifecycle" | "committed"> {
  const count = (of: "instances" | "volumes") =>
    heads
      .flatMap(({ commit }) => commit[of] as readonly { readonly machine: string }[])
      .filter((one) => one.machine === id).length;
  const committed = { instances: count("instances"), volumes: count("volumes") };
  const empty = committed.instances + committed.volumes === 0;
  return { lifecycle: state === "draining" && empty ? "drained" : state, committed };
}

type Head = { readonly commit: Commit };

/** Ids of the instances that running operations have announced; none while the store is away. */
export async function announcedBy({
  store,
  storeConnected,
}: Pick<Member, "store" | "storeConnected">): Promise<ReadonlySet<string>> {
  if (!storeConnected()) return new Set();
  const [candidates, running] = await Promise.all([
    store.facts.list("candidates").catch(() => []),
    store.facts.list("running").catch(() => []),
  ]);
  return new Set(
    [...candidates, ...running].flatMap(({ value: { instances } }) => instances.map(({ id }) => id)),
  );
}

/** Committed against running instances. In no commit are the candidates of a running operation, and strays: leftovers. */
export function instanceList(
  { heads, announced }: { readonly heads: readonly Head[]; readonly announced: ReadonlySet<string> },
  machines: readonly MachineRow[],
  namespace: string | undefined,
): InstanceList {
  const seen = new Map(
    machines.flatMap(({ record, observation }) =>
      observation === undefined ? [] : [[record.id, observation] as const],
    ),
  );
  const commits = heads.filter(({ commit }) => namespace === undefined || commit.namespace === namespace);
  const stopped = commits.flatMap(({ commit: { namespace: of, services } }) =>
    Object.entries(services).flatMap(([name, service]) => (service.stopped ? [`${of}/${name}`] : [])),
  );
  const wanted = commits.flatMap(({ commit }) => commit.instances.map((instance) => ({ commit, instance })));
  const committed = new Set(wanted.map(({ instance }) => instance.id));
  const rows = wanted.map(({ commit, instance }): InstanceRow => {
    const observed = seen.get(instance.machine)?.instances.find(({ id }) => id === instance.id);
    const state = !seen.has(instance.machine) ? "unknown" : (observed?.state ?? "missing");
    const { id, service, slot, machine, address } = instance;
    const hostPorts = commit.services[service]?.spec.hostPorts;
    return {
      id,
      namespace: commit.namespace,
      service,
      slot,
      machine,
      address,
      committed: true,
      state,
      ...(hostPorts !== undefined && hostPorts.length > 0 && { hostPorts }),
      ...(observed !== undefined && { observed }),
    };
  });
  const others = [...seen].flatMap(([machine, { instances }]) =>
    instances
      .filter(
        (instance) =>
          !committed.has(instance.id) && (namespace === undefined || instance.namespace === namespace),
      )
      .map((observed): InstanceRow => {
        const { id, service, slot, address } = observed;
        return {
          id,
          namespace: observed.namespace,
          service,
          slot,
          machine,
          address,
          committed: false,
          state: announced.has(id) ? "candidate" : "stray",
          observed,
        };
      }),
  );
  return {
    kind: "instances",
    instances: [...rows, ...others],
    unreachable: machines.filter(({ reachable }) => !reachable).map(({ record }) => record.id),
    ...(stopped.length > 0 && { stopped }),
  };
}

export async function meshStatus(member: Member): Promise<MeshStatus> {
  const { cluster, machine, machines } = member.membership();
  const status = await member.substrate.wireguard.status();
  const peers = new Map(status?.peers.map((peer) => [peer.publicKey, peer]));
  return {
    kind: "mesh",
    joined: true,
    cluster,
    machine,
    ...(status !== undefined && { wireguard: status.mode }),
    store: member.storeConnected() ? "connected" : "unreachable",
    peers: machines
      .filter(({ id }) => id !== machine.id)
      .map(({ id, publicKey }) => {
        const peer = peers.get(publicKey);
        return {
          id,
          rxBytes: peer?.receivedBytes ?? 0,
          txBytes: peer?.sentBytes ?? 0,
          ...(peer?.endpoint !== undefined && { endpoint: peer.endpoint }),
          ...(peer?.latestHandshake !== undefined && {
            handshakeAgeMs: Math.max(0, Date.now() - peer.latestHandshake),
          }),
        };
      }),
  };
}

export function nameList(member: Member): NameList {
  return {
    kind: "names",
    machines: member.membership().machines.map(({ id }) => id),
    namespaces: member
      .heads()
      .filter(({ commit }) => !commit.removed)
      .map(({ commit }) => ({
        namespace: commit.namespace,
        services: Object.keys(commit.services),
        volumes: commit.volumes.map(({ name }) => name),
      })),
  };
}
