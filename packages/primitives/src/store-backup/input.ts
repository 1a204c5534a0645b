import Type from "typebox";
import { keep } from "../manifest/schedule-schema.ts";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  repository: Type.Optional(label("Where the backup goes. Default: the cluster's only repository.")),
  keep: Type.Optional(keep),
});
/** Input of the primitive `store-backup`; the schema above describes each field. */
export type StoreBackupInput = Shape<typeof Input>;
