import Type, { type Static } from "typebox";
import { bytes, inputParser, label } from "../change/input.ts";
import { type ChangeFacts, observeCluster } from "../change/observe.ts";
import { changePrimitive } from "../change/primitive.ts";
import { unknownMachine } from "../change/refuse.ts";
import { asItIs, liveHead, wishOf } from "../change/wish.ts";
import type { Refusal } from "../engine/types.ts";
import type { VolumeSpec } from "../model/commit.ts";

const Input = Type.Object({
  namespace: label("Its namespace."),
  volume: label("Its name."),
  machine: label("Where it is made."),
  scope: Type.Optional(Type.Enum(["single", "shared"])),
  quotaBytes: Type.Optional(bytes("Most space it may take.")),
  recordsizeBytes: Type.Optional(bytes("Record size of the dataset.")),
});
export type VolumeCreateInput = Static<typeof Input>;

/** Makes an empty volume, before any service uses it. */
export const volumeCreate = changePrimitive<VolumeCreateInput, ChangeFacts>({
  name: "volume-create",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace }) => [`deploy.${namespace}`],
  observe: async ({ namespace }, ports, signal) => ({
    ...(await observeCluster([namespace], ports, signal)),
    content: new Map(),
  }),
  wish({ namespace, volume, machine, scope = "single", quotaBytes, recordsizeBytes }, facts) {
    const head = liveHead(facts.head);
    const present = asItIs(namespace, head);
    const spec: VolumeSpec = {
      scope,
      ...(quotaBytes !== undefined && { quotaBytes }),
      ...(recordsizeBytes !== undefined && { recordsizeBytes }),
    };
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
