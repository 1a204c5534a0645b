import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({ name: label("The repository.") });
/** Input of the primitive `backup-repository-rm`; the schema above describes each field. */
export type BackupRepositoryRmInput = Shape<typeof Input>;
