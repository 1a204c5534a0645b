import Type from "typebox";
import { label } from "../model/fields.ts";
import { HOST } from "../model/patterns.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  name: Type.String({ pattern: HOST, description: "The host name that the certificate is called by." }),
  sealed: label("Where the upload has sealed chain and key."),
});
/** Input of `cert-import`: an uploaded certificate, and its name. */
export type CertImportInput = Shape<typeof Input>;
