import { liveHead, noNamespace, noVolume } from "../change/decide/as-it-is.ts";
import { inputParser } from "../change/input.ts";
import { observeCluster } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { observeSnapshots, type Snapshots, snapshotsOf } from "../change/observe/snapshots.ts";
import { steps } from "../change/steps/instances.ts";
import type { ChangeKinds } from "../change/steps/kinds.ts";
import type { PlannedStep, Primitive, PrimitivePorts } from "../engine/types.ts";
import { ulidTime } from "../model/ids.ts";
import type { Json } from "../model/json.ts";
import { automaticName, beyondKeep } from "../schedule/keep.ts";
import { Input, type VolumeKeepInput } from "./input.ts";

type Facts = Omit<ChangeFacts, "content"> & {
  readonly snapshots: Snapshots;
  /** Revision of the fact about the last one. */
  readonly last: number;
};
type Kinds = Pick<ChangeKinds, "volume.snapshot" | "volume.thin">;

const keyOf = ({ namespace, volume }: VolumeKeepInput) => `volume-keep.${namespace}.${volume}` as const;

const volumeOf = ({ volume }: VolumeKeepInput, { head }: Pick<Facts, "head">) =>
  liveHead(head)?.commit.volumes.find(({ name }) => name === volume);

/**
 * A scheduled snapshot of a volume; older ones beyond the volume's `keep` are deleted after it. It takes no lease of the namespace, and
 * leaves snapshots of operators, operations and other programs alone.
 */
export const volumeKeep: Primitive<PrimitivePorts, VolumeKeepInput, Facts, Kinds, Json> = {
  name: "volume-keep",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace, volume }) => [`snapshots.${namespace}.${volume}`],
  async observe(input, ports, signal) {
    const cluster = await observeCluster([input.namespace], ports, signal);
    const volume = volumeOf(input, cluster);
    const [snapshots, last] = await Promise.all([
      observeSnapshots(volume === undefined ? [] : [volume], ports, signal),
      ports.store.facts.get(keyOf(input)),
    ]);
    return { ...cluster, snapshots, last: last?.revision ?? 0 };
  },
  plan(input, facts, operation) {
    const { namespace } = input;
    const head = liveHead(facts.head);
    if (head === undefined) return { refusals: [noNamespace(namespace, { ...facts, content: new Map() })] };
    const volume = volumeOf(input, facts);
    if (volume === undefined) return { refusals: [noVolume(namespace, input.volume, head)] };
    const { id, name, machine, spec } = volume;
    if (spec.snapshots === undefined) {
      const message = `${namespace}/${name} has no schedule of snapshots`;
      const hint = `add to [volumes.${name}]: snapshots = { every = "15m", keep = { last = 8 } }`;
      return { refusals: [{ code: "no_such_schedule", message, hint }] };
    }
    const there = facts.machines.find(({ record }) => record.id === machine);
    if (there?.observation === undefined) {
      const message = `${namespace}/${name} is on machine ${machine}, which does not answer`;
      return { refusals: [{ code: "machine_unreachable", message, hint: `bring ${machine} back`, machine }] };
    }
    const snapshot = automaticName(input.tick === undefined ? ulidTime(operation) : Date.parse(input.tick));
    const present = snapshotsOf(facts.snapshots, machine, id).map((one) => one.name);
    const changes = !present.includes(snapshot);
    const gone = beyondKeep([...new Set([...present, snapshot])], spec.snapshots.keep);
    const take: PlannedStep<Kinds> = {
      ...{ id: "snapshot", kind: "volume.snapshot", machine },
      args: { machine, namespace, ids: [id], snapshot },
      title: `snapshot volume ${name} on ${machine}`,
      needs: [],
    };
    const thin: PlannedStep<Kinds> = {
      ...{ id: "thin", kind: "volume.thin", machine },
      args: { machine, id, snapshots: gone },
      title: `delete ${gone.length} older scheduled snapshots of ${name} on ${machine}`,
      needs: [],
    };
    return {
      basis: [],
      prepare: changes ? [take] : [],
      settle: changes && gone.length > 0 ? [thin] : [],
      summary: { kind: "volume-keep", namespace, volume: name, machine, id, snapshot, removed: gone },
      changes,
      warnings: [],
    };
  },
  steps: { "volume.snapshot": steps["volume.snapshot"], "volume.thin": steps["volume.thin"] },
  commit(input, { last }, { summary }, { operation, at, by, output }) {
    const { id, machine } = summary as { id: string; machine: string };
    const { guids } = output("snapshot", "volume.snapshot");
    const value = { operation, id, machine, guid: guids[id] ?? "", at, by };
    return { kind: "fact", key: keyOf(input), value, expected: last };
  },
  result: (_input, { summary }) => summary,
};
