import { inputParser } from "../change/input.ts";
import { observeCluster } from "../change/observe/cluster.ts";
import { observeSnapshots } from "../change/observe/snapshots.ts";
import { steps } from "../change/steps/instances.ts";
import type { Primitive, PrimitivePorts } from "../engine/types.ts";
import { ulidTime } from "../model/ids.ts";
import type { Json } from "../model/json.ts";
import { standbyKey } from "../model/standby.ts";
import { Input, type VolumeStandbySyncInput } from "./input.ts";
import { type Facts, type Kinds, plan, type SyncSummary, volumeOf } from "./plan.ts";

/**
 * Sends what has changed of a volume since the last time to one of its standbys: all of it the first time. It takes no lease of the
 * namespace, so no deploy waits for it; the standby's machine refuses when its copy has become the volume.
 */
export const volumeStandbySync: Primitive<
  PrimitivePorts,
  VolumeStandbySyncInput,
  Facts,
  Kinds,
  Json,
  SyncSummary
> = {
  name: "volume-standby-sync",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace, volume, machine }) => [`standby.${namespace}.${volume}.${machine}`],
  async observe(input, ports, signal) {
    const { namespace, volume: name, machine } = input;
    const cluster = await observeCluster([namespace], ports, signal);
    const volume = volumeOf(input, cluster);
    const copies = volume === undefined ? [] : [volume, { id: volume.id, machine }];
    const [snapshots, last] = await Promise.all([
      observeSnapshots(copies, ports, signal),
      ports.store.facts.get(standbyKey(namespace, name, machine)),
    ]);
    return { ...cluster, snapshots, last: last?.revision ?? 0 };
  },
  plan,
  steps: {
    "standby.sync": steps["standby.sync"],
    "standby.thin": steps["standby.thin"],
    "volume.standdown": steps["volume.standdown"],
  },
  commit({ namespace, volume, machine }, { last }, { summary }, { operation, at, by, output }) {
    const { guid, bytes, ms } = output("sync", "standby.sync");
    const { id, source, snapshot } = summary;
    const takenAt = new Date(ulidTime(operation)).toISOString();
    const value = { ...{ operation, at, by, id, source, snapshot, guid, takenAt }, bytes, ms };
    return { kind: "fact", key: standbyKey(namespace, volume, machine), value, expected: last };
  },
  result(_input, { summary }, { output }) {
    const { bytes = 0, ms = 0, base } = output("sync", "standby.sync") ?? {};
    return { ...summary, bytes, ms, full: base === null };
  },
};
