import { asItIs, liveHead, noNamespace, noVolume, wishOf } from "../change/decide/as-it-is.ts";
import { inputParser } from "../change/input.ts";
import { findContent, observeCluster } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { observeSnapshots, type Snapshots, snapshotsOf } from "../change/observe/snapshots.ts";
import { changePrimitive } from "../change/primitive.ts";
import { Input, type VolumeRestoreInput } from "./input.ts";

type Facts = ChangeFacts & { readonly snapshots: Snapshots };

/** Gives a volume the content of one of its snapshots. Its old content is kept, retired; the services on it are restarted. */
export const volumeRestore = changePrimitive<VolumeRestoreInput, Facts>({
  name: "volume-restore",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace }) => [`deploy.${namespace}`],
  async observe({ namespace, volume }, ports, signal) {
    const cluster = await observeCluster([namespace], ports, signal);
    const specs = Object.values(cluster.head?.commit.services ?? {}).map(({ spec }) => spec);
    const copies = (cluster.head?.commit.volumes ?? []).filter(({ name }) => name === volume);
    const [content, snapshots] = await Promise.all([
      findContent(specs, cluster.machines, ports, signal),
      observeSnapshots(copies, ports, signal),
    ]);
    return { ...cluster, content, snapshots };
  },
  wish({ namespace, volume, snapshot }, facts) {
    const head = liveHead(facts.head);
    const present = asItIs(namespace, facts.head);
    if (head === undefined) return wishOf(present, { refusals: [noNamespace(namespace, facts)] });
    const there = head.commit.volumes.find(({ name }) => name === volume);
    if (there === undefined) return wishOf(present, { refusals: [noVolume(namespace, volume, head)] });
    // The same command again: it has just been done.
    if (head.commit.primitive === "volume-restore" && there.origin?.snapshot === snapshot)
      return wishOf(present);
    const { id, machine, spec } = there;
    const known = snapshotsOf(facts.snapshots, machine, id);
    const found = known.find(({ name }) => name === snapshot);
    if (found === undefined) {
      const names = known.map(({ name }) => name);
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
    const from = { namespace, volume, id, machine, snapshot: { name: snapshot, guid: found.guid } };
    return wishOf({ ...present, volumes: { [volume]: { spec, source: { kind: "copy", machine, from } } } });
  },
});
