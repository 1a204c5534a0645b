import { asItIs, liveHead, noNamespace, noVolume, wishOf } from "../change/decide/as-it-is.ts";
import { inputParser } from "../change/input.ts";
import { findContent, observeCluster } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import {
  observeSnapshots,
  readableCopies,
  type Snapshots,
  snapshotsOf,
} from "../change/observe/snapshots.ts";
import { changePrimitive } from "../change/primitive.ts";
import { Input, type VolumeRestoreInput } from "./input.ts";

type Copies = ReturnType<typeof readableCopies>;
type Facts = ChangeFacts & { readonly snapshots: Snapshots; readonly copies: Copies };

/**
 * Gives a volume the content of one of its snapshots, also of one that an earlier restore has left on the retired copy. Its old content
 * is kept, retired; the services on it are restarted. Every run restores, whatever an earlier one has done.
 */
export const volumeRestore = changePrimitive<VolumeRestoreInput, Facts>({
  name: "volume-restore",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace }) => [`deploy.${namespace}`],
  async observe({ namespace, volume }, ports, signal) {
    const cluster = await observeCluster([namespace], ports, signal);
    const specs = Object.values(cluster.head?.commit.services ?? {}).map(({ spec }) => spec);
    const present = cluster.head?.commit.volumes.find(({ name }) => name === volume);
    const copies = readableCopies({ namespace, name: volume }, present, cluster.machines);
    const [content, snapshots] = await Promise.all([
      findContent(specs, cluster.machines, ports, signal),
      observeSnapshots(copies, ports, signal),
    ]);
    return { ...cluster, content, snapshots, copies };
  },
  wish({ namespace, volume, snapshot }, facts) {
    const head = liveHead(facts.head);
    const present = asItIs(namespace, facts.head);
    if (head === undefined) return wishOf(present, { refusals: [noNamespace(namespace, facts)] });
    const there = head.commit.volumes.find(({ name }) => name === volume);
    if (there === undefined) return wishOf(present, { refusals: [noVolume(namespace, volume, head)] });
    const { machine, spec } = there;
    const known = facts.copies.flatMap((copy) =>
      snapshotsOf(facts.snapshots, copy.machine, copy.id).map((one) => ({ ...copy, ...one })),
    );
    const found = known.find(({ name }) => name === snapshot);
    if (found === undefined) {
      const names = [...new Set(known.map(({ name }) => name))];
      return wishOf(present, {
        refusals: [
          {
            code: "snapshot_missing",
            message: `${namespace}/${volume} has no snapshot ${snapshot} on ${machine}`,
            hint: names.length > 0 ? `it has ${names.slice(-5).join(", ")}` : "ployzctl volume snapshots",
          },
        ],
      });
    }
    const { id, guid } = found;
    const from = {
      ...{ namespace, volume, id, machine: found.machine },
      snapshot: { name: snapshot, guid },
    };
    return wishOf({ ...present, volumes: { [volume]: { spec, source: { kind: "copy", machine, from } } } });
  },
});
