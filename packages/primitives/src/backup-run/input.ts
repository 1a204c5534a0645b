import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("Its namespace."),
  volume: Type.Optional(label("Only this volume. Default: all volumes of the namespace.")),
  repository: Type.Optional(label("Where the backup goes. Default: the cluster's only repository.")),
  scheduled: Type.Optional(
    Type.Boolean({
      description:
        "By the schedule of the volume: with all volumes of the same schedule, and its `keep` deletes older backups.",
    }),
  ),
  tick: Type.Optional(
    Type.String({ maxLength: 40, description: "RFC 3339: the time of its schedule that it runs for." }),
  ),
});
/** Input of the primitive `backup-run`; the schema above describes each field. */
export type BackupRunInput = Shape<typeof Input>;
