import { findContent, observeCluster, specsOf } from "../change/observe/cluster.ts";
import type { ChangeFacts, Head } from "../change/observe/facts.ts";
import { observeStandbys } from "../change/observe/snapshots.ts";
import type { PrimitivePorts } from "../engine/types.ts";
import type { Commit } from "../model/commit.ts";
import type { MachineRecord, RemovedMachine } from "../model/machine.ts";
import type { Operations } from "../ports/operations.ts";

/** What a change of a machine's place in the cluster needs: it may run evacuations. */
export interface MembershipPorts extends PrimitivePorts {
  readonly operations: Operations;
}

export type MembershipFacts = {
  /** The machine that it is about; absent when no machine has that name. */
  readonly machine?: { readonly record: MachineRecord; readonly revision: number };
  /** Remembered of one of that name that was removed. */
  readonly removed?: RemovedMachine;
  /** Members, the machine itself among them, and what namespaces they run; as for any change. */
  readonly cluster: ChangeFacts;
  readonly heads: readonly Head[];
};

export async function observeMembership(
  id: string,
  ports: PrimitivePorts,
  signal: AbortSignal,
): Promise<MembershipFacts> {
  const { facts, commits } = ports.store;
  const [entry, removed, last] = await Promise.all([
    facts.get(`machine.${id}`),
    facts.get(`removed.${id}`),
    commits.heads(),
  ]);
  const heads = last.map(({ value, revision }) => ({ commit: value, revision }));
  const namespaces = heads.filter(({ commit }) => isOn(commit, id)).map(({ commit }) => commit.namespace);
  const cluster = await observeCluster(namespaces, ports, signal);
  const specs = heads.flatMap(({ commit }) => (isOn(commit, id) ? specsOf(commit) : []));
  const content = await findContent(specs, cluster.machines, ports, signal);
  const standbys = await observeStandbys(
    heads.map(({ commit }) => commit),
    id,
    ports,
    signal,
  );
  return {
    ...(entry && {
      machine: { record: entry.value, revision: entry.revision },
    }),
    ...(removed && { removed: removed.value }),
    cluster: { ...cluster, content, standbys },
    heads: [...cluster.others, ...(cluster.head ? [cluster.head] : [])].sort((left, right) =>
      left.commit.namespace < right.commit.namespace ? -1 : 1,
    ),
  };
}

/** Whether something of the namespace is committed on the machine, or a standby. */
export const isOn = ({ instances, volumes }: Commit, machine: string): boolean =>
  [...instances, ...volumes].some((one) => one.machine === machine) ||
  volumes.some(({ spec }) => spec.standby?.machines.includes(machine));

/** Committed on the machine: `prod/web.1`, `volume prod/data`. */
export function committedOn(heads: readonly Head[], machine: string): readonly string[] {
  return heads.flatMap(({ commit: { namespace, instances, volumes } }) => [
    ...instances
      .filter((instance) => instance.machine === machine)
      .map(({ service, slot }) => `${namespace}/${service}.${slot}`),
    ...volumes
      .filter((volume) => volume.machine === machine)
      .map(({ name }) => `volume ${namespace}/${name}`),
  ]);
}
