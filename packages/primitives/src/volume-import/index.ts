import Type, { type Static } from "typebox";
import { asItIs, liveHead, wishOf } from "../change/decide/as-it-is.ts";
import { unknownMachine } from "../change/decide/refuse.ts";
import { inputParser, label, volumeFields, volumeSpecOf } from "../change/input.ts";
import { observeWithoutContent } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { changePrimitive } from "../change/primitive.ts";

const Input = Type.Object({
  namespace: label("Its namespace."),
  volume: label("Its name."),
  machine: label("Where it will be."),
  ...volumeFields,
  exported: Type.Object(
    {
      namespace: label("What the file is of."),
      volume: label("What the file is of."),
      snapshot: Type.String({
        pattern: "^[a-z0-9][a-z0-9_.-]{0,79}$",
        description: "Name of the snapshot in it.",
      }),
      guid: Type.String({ pattern: "^[0-9]{1,20}$", description: "Its guid." }),
      bytes: Type.Optional(
        Type.Integer({ minimum: 0, maximum: 2 ** 53 - 1, description: "About how much is in it." }),
      ),
    },
    { additionalProperties: false },
  ),
  upload: Type.Object(
    { machine: label("To which the file is sent."), id: Type.String({ minLength: 1, maxLength: 160 }) },
    {
      additionalProperties: false,
      description: "Where the file comes in; said by the daemon that takes it.",
    },
  ),
});
export type VolumeImportInput = Static<typeof Input>;

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
