import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("Its namespace."),
  volume: label("The volume that goes."),
});
export type VolumeRmInput = Shape<typeof Input>;
