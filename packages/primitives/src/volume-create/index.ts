import { asItIs, liveHead, wishOf } from "../change/decide/as-it-is.ts";
import { unknownMachine } from "../change/decide/refuse.ts";
import { inputParser, volumeSpecOf } from "../change/input.ts";
import { observeWithoutContent } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { changePrimitive } from "../change/primitive.ts";
import type { Refusal } from "../engine/types.ts";
import { Input, type VolumeCreateInput } from "./input.ts";

/** Makes an empty volume, before any service uses it. */
export const volumeCreate = changePrimitive<VolumeCreateInput, ChangeFacts>({
  name: "volume-create",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace }) => [`deploy.${namespace}`],
  observe: ({ namespace }, ports, signal) => observeWithoutContent([namespace], ports, signal),
  wish({ namespace, volume, machine, ...wanted }, facts) {
    const head = liveHead(facts.head);
    const present = asItIs(namespace, head);
    const spec = volumeSpecOf(wanted);
    const there = head?.commit.volumes.find(({ name }) => name === volume);
    if (there !== undefined) {
      const refusals: Refusal[] =
        there.machine === machine
          ? []
          : [
              {
                code: "volume_exists",
                message: `${namespace}/${volume} is on ${there.machine} already`,
                hint: "move it with ployzctl migrate, or choose another name",
              },
            ];
      return wishOf({ ...present, volumes: { [volume]: { spec, source: { kind: "keep" } } } }, { refusals });
    }
    const unknown = unknownMachine("machine", machine, facts);
    return wishOf(
      { ...present, volumes: { [volume]: { spec, source: { kind: "fresh", machine } } } },
      { refusals: unknown === undefined ? [] : [unknown] },
    );
  },
});
