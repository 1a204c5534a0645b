import Type from "typebox";
import { volumeFields } from "../change/input.ts";
import { label } from "../model/fields.ts";
import { SNAPSHOT_NAME } from "../model/names.ts";
import type { Shape } from "../model/shape.ts";

const snapshot = (description: string) => Type.String({ pattern: SNAPSHOT_NAME, description });
const guid = (description: string) => Type.String({ pattern: "^[0-9]{1,20}$", description });

export const Input = Type.Object({
  namespace: label("Its namespace."),
  volume: label("Its name."),
  machine: label("Where it will be."),
  ...volumeFields,
  exported: Type.Object(
    {
      namespace: label("The namespace or volume in the file."),
      volume: label("The namespace or volume in the file."),
      snapshot: snapshot("Name of the snapshot in it."),
      guid: guid("Its guid."),
      earlier: Type.Optional(
        Type.Array(
          Type.Object(
            { name: snapshot("Name of a snapshot."), guid: guid("Its guid.") },
            { additionalProperties: false },
          ),
          {
            maxItems: 99,
            description: "Snapshots of the files before the last one, each the base of the next.",
          },
        ),
      ),
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
/** Input of the primitive `volume-import`; the schema above describes each field. */
export type VolumeImportInput = Shape<typeof Input>;
