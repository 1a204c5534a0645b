import Type from "typebox";
import { label } from "../model/fields.ts";
import { VOLUME } from "../model/patterns.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  name: label("Its name."),
  url: Type.String({ minLength: 1, description: "where it is" }),
  secret: Type.String({
    pattern: VOLUME,
    description: "NAMESPACE/SECRET: a secret with the credentials and the password",
  }),
});
/** Input of the primitive `backup-repository-add`; the schema above describes each field. */
export type BackupRepositoryAddInput = Shape<typeof Input>;
