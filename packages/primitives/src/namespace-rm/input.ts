import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({ namespace: label("The namespace to remove.") });
/** Input of the primitive `namespace-rm`; the schema above describes each field. */
export type NamespaceRmInput = Shape<typeof Input>;
