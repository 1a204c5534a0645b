import Type from "typebox";
import { HOST } from "../model/patterns.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  name: Type.String({ pattern: HOST, description: "The certificate's name." }),
});
/** Input of `cert-rm`: the certificate's name. */
export type CertRmInput = Shape<typeof Input>;
