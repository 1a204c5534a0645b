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
import { changePrimitive } from "../change/primitive.ts";
import { Input, type VolumeForkInput } from "./input.ts";

/** A copy of a volume as it is now, under another name: a clone in constant time, sharing what does not change. */
export const volumeFork = changePrimitive<VolumeForkInput, ChangeFacts>({
  name: "volume-fork",
  version: 1,
  parse: inputParser(Input),
  scope: ({ target }) => [`deploy.${target.namespace}`],
  observe: ({ source, target }, ports, signal) =>
    observeWithoutContent([target.namespace, source.namespace], ports, signal),
  wish({ source, target, machine }, facts) {
    const head = liveHead(facts.head);
    const present = asItIs(target.namespace, head);
    const origin = sourceHead(source.namespace, facts);
    if (origin === undefined) return wishOf(present, { refusals: [noNamespace(source.namespace, facts)] });
    const volume = origin.commit.volumes.find(({ name }) => name === source.volume);
    if (volume === undefined)
      return wishOf(present, { refusals: [noVolume(source.namespace, source.volume, origin)] });
    const there = head?.commit.volumes.find(({ name }) => name === target.volume);
    if (there !== undefined) {
      const same = there.origin?.namespace === source.namespace && there.origin.volume === source.volume;
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
    const to = machine ?? volume.machine;
    const unknown = unknownMachine("machine", to, facts);
    const { id, machine: from, spec } = volume;
    const copy = { namespace: source.namespace, volume: source.volume, id, machine: from };
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
