import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("Namespace of the volume that was backed up."),
  volume: label("The volume that was backed up."),
  backup: Type.String({
    pattern: "^[0-9a-z]{8,64}$",
    description: "A backup's id, or at least eight characters of its beginning.",
  }),
  repository: Type.Optional(label("Where it is. Default: the cluster's only repository.")),
  target: Type.Object(
    { namespace: label("Namespace of the new volume."), volume: label("Name of the new volume.") },
    { additionalProperties: false },
  ),
  machine: Type.Optional(label("Where the new volume will be.")),
});
/** Input of the primitive `backup-restore`; the schema above describes each field. */
export type BackupRestoreInput = Shape<typeof Input>;
