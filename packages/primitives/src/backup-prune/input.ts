import Type from "typebox";
import { keep } from "../manifest/schedule-schema.ts";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("Its namespace."),
  volume: Type.Optional(label("Only this volume. Default: all that have backups.")),
  repository: Type.Optional(label("Where the backups are. Default: the cluster's only repository.")),
  keep,
});
/** Input of the primitive `backup-prune`; the schema above describes each field. */
export type BackupPruneInput = Shape<typeof Input>;
