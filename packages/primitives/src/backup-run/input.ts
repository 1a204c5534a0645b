import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("Its namespace."),
  volume: Type.Optional(label("Only this volume. Default: all volumes of the namespace.")),
  repository: Type.Optional(label("Where the backup goes. Default: the cluster's only repository.")),
});
/** Input of the primitive `backup-run`; the schema above describes each field. */
export type BackupRunInput = Shape<typeof Input>;
