import { asItIs, liveHead, wishOf } from "../change/decide/as-it-is.ts";
import { unknownMachine } from "../change/decide/refuse.ts";
import { inputParser, volumeSpecOf } from "../change/input.ts";
import { observeWithoutContent } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { changePrimitive } from "../change/primitive.ts";
import { Input, type VolumeImportInput } from "./input.ts";

/** A volume out of a file that was exported here or elsewhere, under a new name. */
export const volumeImport = changePrimitive<VolumeImportInput, ChangeFacts>({
  name: "volume-import",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace }) => [`deploy.${namespace}`],
  observe: ({ namespace }, ports, signal) => observeWithoutContent([namespace], ports, signal),
  wish(input, facts) {
    const { namespace, volume, machine, exported, upload, ...wanted } = input;
    const head = liveHead(facts.head);
    const present = asItIs(namespace, head);
    const there = head?.commit.volumes.find(({ name }) => name === volume);
    if (there !== undefined) {
      if (there.origin?.guid === exported.guid && there.machine === machine) return wishOf(present);
      return wishOf(present, {
        refusals: [
          {
            code: "volume_exists",
            message: `${namespace}/${volume} is there already, on ${there.machine}`,
            hint: "choose another name, or remove it first: ployzctl volume rm",
          },
        ],
      });
    }
    const unknown = unknownMachine("machine", machine, facts);
    const from = {
      ...{ namespace: exported.namespace, volume: exported.volume, id: upload.id, machine: upload.machine },
      snapshot: { name: exported.snapshot, guid: exported.guid },
      upload: true,
      ...(exported.earlier !== undefined && { earlier: exported.earlier }),
      ...(exported.bytes !== undefined && { bytes: exported.bytes }),
    } as const;
    return wishOf(
      {
        ...present,
        volumes: { [volume]: { spec: volumeSpecOf(wanted), source: { kind: "copy", machine, from } } },
      },
      { refusals: unknown === undefined ? [] : [unknown] },
    );
  },
});
