import {
  asItIs,
  liveHead,
  noNamespace,
  noVolume,
  restsOn,
  sourceHead,
  wishOf,
} from "../change/decide/as-it-is.ts";
import { unknownMachine } from "../change/decide/refuse.ts";
import { inputParser, unscheduled } from "../change/input.ts";
import { observeWithoutContent } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import {
  observeSnapshots,
  readableCopies,
  type Snapshots,
  snapshotsOf,
} from "../change/observe/snapshots.ts";
import { changePrimitive } from "../change/primitive.ts";
import { Input, type VolumeForkInput } from "./input.ts";

type Facts = ChangeFacts & {
  readonly copies: ReturnType<typeof readableCopies>;
  readonly snapshots: Snapshots;
};

function snapshotOf(name: string, { copies, snapshots }: Facts) {
  const [found] = copies.flatMap(({ id, machine }) =>
    snapshotsOf(snapshots, machine, id)
      .filter((one) => one.name === name)
      .map(({ guid }) => ({ id, machine, snapshot: { name, guid } })),
  );
  return found;
}

/** A copy of a volume as it is now, under another name: a clone in constant time, sharing what does not change. */
export const volumeFork = changePrimitive<VolumeForkInput, Facts>({
  name: "volume-fork",
  version: 1,
  parse: inputParser(Input),
  scope: ({ target }) => [`deploy.${target.namespace}`],
  async observe({ source, target, snapshot }, ports, signal) {
    const cluster = await observeWithoutContent([target.namespace, source.namespace], ports, signal);
    if (snapshot === undefined) return { ...cluster, copies: [], snapshots: new Map() };
    const present = sourceHead(source.namespace, cluster)?.commit.volumes.find(
      ({ name }) => name === source.volume,
    );
    const copies = readableCopies({ ...source, name: source.volume }, present, cluster.machines);
    return { ...cluster, copies, snapshots: await observeSnapshots(copies, ports, signal) };
  },
  wish({ source, target, snapshot, machine }, facts) {
    const head = liveHead(facts.head);
    const present = asItIs(target.namespace, head);
    const origin = sourceHead(source.namespace, facts);
    if (origin === undefined) return wishOf(present, { refusals: [noNamespace(source.namespace, facts)] });
    const volume = origin.commit.volumes.find(({ name }) => name === source.volume);
    if (volume === undefined)
      return wishOf(present, { refusals: [noVolume(source.namespace, source.volume, origin)] });
    const there = head?.commit.volumes.find(({ name }) => name === target.volume);
    if (there !== undefined) {
      const same =
        there.origin?.namespace === source.namespace &&
        there.origin.volume === source.volume &&
        (snapshot === undefined || there.origin.snapshot === snapshot);
      if (same && (machine ?? there.machine) === there.machine) return wishOf(present);
      return wishOf(present, {
        refusals: [
          {
            code: "volume_exists",
            message: `${target.namespace}/${target.volume} exists, and is no fork of ${source.namespace}/${source.volume}`,
            hint: "choose another name, or remove it first: ployzctl volume rm",
          },
        ],
      });
    }
    const taken = snapshot === undefined ? undefined : snapshotOf(snapshot, facts);
    if (snapshot !== undefined && taken === undefined) {
      const message = `${source.namespace}/${source.volume} has no snapshot ${snapshot} on a machine that answers`;
      const hint = `ployzctl volume snapshots ${source.namespace}/${source.volume}`;
      return wishOf(present, { refusals: [{ code: "snapshot_missing", message, hint }] });
    }
    const to = machine ?? taken?.machine ?? volume.machine;
    const unknown = unknownMachine("machine", to, facts);
    const { id, machine: from, spec } = volume;
    const copy = { namespace: source.namespace, volume: source.volume, id, machine: from, ...taken };
    return wishOf(
      {
        ...present,
        volumes: {
          [target.volume]: { spec: unscheduled(spec), source: { kind: "copy", machine: to, from: copy } },
        },
      },
      {
        refusals: unknown === undefined ? [] : [unknown],
        basis: source.namespace === target.namespace ? [] : restsOn(origin),
      },
    );
  },
});
