import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({ namespace: label("The namespace to remove.") });
export type NamespaceRmInput = Shape<typeof Input>;
