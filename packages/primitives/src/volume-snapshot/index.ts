import { liveHead, noNamespace, noVolume } from "../change/decide/as-it-is.ts";
import { inputParser } from "../change/input.ts";
import { observeCluster } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { observeSnapshots, type Snapshots, snapshotsOf } from "../change/observe/snapshots.ts";
import { steps } from "../change/steps/instances.ts";
import type { ChangeKinds } from "../change/steps/kinds.ts";
import { snapshotName } from "../change/steps/volumes.ts";
import type { Primitive, PrimitivePorts, Refusal } from "../engine/types.ts";
import type { Volume } from "../model/commit.ts";
import { invalid } from "../model/field.ts";
import type { Json } from "../model/json.ts";
import { datasetLength, LIMITS } from "../model/limits.ts";
import { Input, type VolumeSnapshotInput } from "./input.ts";

type Facts = Omit<ChangeFacts, "content"> & {
  readonly snapshots: Snapshots;
  /** Revision of the fact about this snapshot. */
  readonly known?: number;
};
type Kinds = Pick<ChangeKinds, "volume.snapshot">;

const keyOf = ({ namespace, volume }: VolumeSnapshotInput, name: string) =>
  `volume-snapshot.${namespace}.${volume}.${name}` as const;

/** A snapshot of a volume as it is now: what a power cut at this moment would leave on the disk. */
export const volumeSnapshot: Primitive<PrimitivePorts, VolumeSnapshotInput, Facts, Kinds, Json> = {
  name: "volume-snapshot",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace }) => [`deploy.${namespace}`],
  async observe(input, ports, signal) {
    const cluster = await observeCluster([input.namespace], ports, signal);
    const volume = volumeOf(input, cluster);
    const [snapshots, fact] = await Promise.all([
      observeSnapshots(volume === undefined ? [] : [volume], ports, signal),
      input.name === undefined ? undefined : ports.store.facts.get(keyOf(input, input.name)),
    ]);
    return { ...cluster, snapshots, ...(fact && { known: fact.revision }) };
  },
  plan(input, facts, operation) {
    const { namespace } = input;
    const head = liveHead(facts.head);
    if (head === undefined) return { refusals: [noNamespace(namespace, { ...facts, content: new Map() })] };
    const volume = volumeOf(input, facts);
    if (volume === undefined) return { refusals: [noVolume(namespace, input.volume, head)] };
    const { id, machine } = volume;
    const there = facts.machines.find(({ record }) => record.id === machine);
    if (there?.observation === undefined) return { refusals: [away(input, volume)] };
    if (input.name !== undefined && has(input.name, volume, facts) && facts.known === undefined)
      return { refusals: [exists(input)] };
    const snapshot = input.name ?? snapshotName(operation);
    const over = datasetLength({ namespace, id }, snapshot.length) - LIMITS.dataset;
    if (over > 0) return { refusals: [tooLong(over)] };
    const changes = !has(snapshot, volume, facts);
    return {
      basis: [{ key: `commit.${namespace}`, revision: facts.head?.revision ?? 0 }],
      prepare: changes
        ? [
            {
              id: `snapshot ${namespace}@${machine}`,
              kind: "volume.snapshot",
              args: { machine, namespace, ids: [id], snapshot },
              machine,
              title: `snapshot volume ${volume.name} on ${machine}`,
              needs: [],
            },
          ]
        : [],
      settle: [],
      summary: { kind: "volume-snapshot", namespace, volume: volume.name, machine, snapshot, id },
      changes,
      warnings: [],
    };
  },
  steps: { "volume.snapshot": steps["volume.snapshot"] },
  commit(input, facts, { prepare, summary }, { operation, at, by, output }) {
    const { id, machine, snapshot } = summary as { id: string; machine: string; snapshot: string };
    const { guids } = output(prepare[0]?.id ?? "", "volume.snapshot");
    const value = { operation, id, machine, guid: guids[id] ?? "", at, by };
    return { kind: "fact", key: keyOf(input, snapshot), value, expected: facts.known ?? 0 };
  },
  result: (_input, { summary }) => summary,
};

function volumeOf({ volume }: VolumeSnapshotInput, { head }: Pick<ChangeFacts, "head">): Volume | undefined {
  return liveHead(head)?.commit.volumes.find(({ name }) => name === volume);
}

const has = (name: string, { machine, id }: Volume, { snapshots }: Facts): boolean =>
  snapshotsOf(snapshots, machine, id).some((snapshot) => snapshot.name === name);

function away({ namespace, volume }: VolumeSnapshotInput, { machine }: Volume): Refusal {
  return {
    code: "machine_unreachable",
    message: `${namespace}/${volume} is on machine ${machine}, which does not answer`,
    hint: `bring ${machine} back, then run the same command again`,
    machine,
  };
}

const tooLong = (over: number): Refusal =>
  invalid(
    ["name"],
    `with the dataset's it would have ${LIMITS.dataset + over} letters; ZFS takes ${LIMITS.dataset}`,
    `shorten it by ${over}`,
  );

function exists({ namespace, volume, name }: VolumeSnapshotInput): Refusal {
  return {
    code: "snapshot_exists",
    message: `${namespace}/${volume} has a snapshot ${name} that was not taken by this command`,
    hint: "choose another name",
  };
}
