import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("Its namespace."),
  volume: Type.Optional(label("Only this volume. Default: all volumes of the namespace.")),
  backup: Type.Optional(
    Type.String({
      pattern: "^[0-9a-z]{8,64}$",
      description: "A backup's id, or at least eight characters of its beginning. Default: the newest.",
    }),
  ),
  repository: Type.Optional(label("Where the backups are. Default: the cluster's only repository.")),
  machine: Type.Optional(label("Where they are restored. Default: the machine of the first volume.")),
  job: Type.Optional(label("A job of the namespace that checks the restored data, by its exit code.")),
  allData: Type.Optional(
    Type.Boolean({ description: "Also reads all data of the repository, of all its backups." }),
  ),
  tick: Type.Optional(
    Type.String({ maxLength: 40, description: "RFC 3339: the time of its schedule that it runs for." }),
  ),
});
/** Input of the primitive `backup-verify`; the schema above describes each field. */
export type BackupVerifyInput = Shape<typeof Input>;
