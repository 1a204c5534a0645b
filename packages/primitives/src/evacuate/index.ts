import { inputParser } from "../change/input.ts";
import { findContent, observeCluster, specsOf } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { observeStandbys } from "../change/observe/snapshots.ts";
import { changePrimitive } from "../change/primitive.ts";
import type { PrimitivePorts } from "../engine/types.ts";
import { type EvacuateInput, Input } from "./input.ts";
import { wishEvacuated } from "./wish.ts";

/**
 * Nothing of one namespace stays on one machine: what has no data starts elsewhere before it stops here, and volumes move with what
 * runs on them. Part of draining and removing a machine; each is an operation of its own, and its result is a valid state by itself.
 */
export const evacuate = changePrimitive<EvacuateInput, ChangeFacts>({
  name: "evacuate",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace }) => [`deploy.${namespace}`],
  observe: observeEvacuation,
  wish: wishEvacuated,
});

export async function observeEvacuation(
  { namespace, machine, lost, fromStandby }: EvacuateInput,
  ports: PrimitivePorts,
  signal: AbortSignal,
): Promise<ChangeFacts> {
  const cluster = await observeCluster([namespace], ports, signal);
  const machines = cluster.machines.map((fact) =>
    lost && fact.record.id === machine && fact.observation === undefined
      ? { ...fact, lost: true as const }
      : fact,
  );
  const { head } = cluster;
  const specs = head === undefined ? [] : specsOf(head.commit);
  const commits = head === undefined || !fromStandby ? [] : [head.commit];
  const standbys = await observeStandbys(commits, machine, ports, signal);
  return { ...cluster, machines, standbys, content: await findContent(specs, machines, ports, signal) };
}
