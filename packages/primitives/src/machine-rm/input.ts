import Type from "typebox";
import { label, volumeName } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  machine: label("The machine to remove."),
  force: Type.Optional(Type.Boolean({ description: "It does not answer and never will." })),
  fromStandby: Type.Optional(
    Type.Boolean({ description: "With `force`: volumes that have a standby continue as it holds them." }),
  ),
  lose: Type.Optional(
    Type.Array(volumeName("A volume, namespace/name, whose loss is confirmed."), { maxItems: 1000 }),
  ),
  storeMoves: Type.Optional(
    Type.Object(
      { from: Type.Array(label("A machine.")), to: Type.Array(label("A machine.")) },
      {
        description:
          "In a preview: where the store is moved before this is done. Said by the daemon, not by the operator.",
      },
    ),
  ),
});

/** Input of the primitive `machine-rm`; the schema above describes each field. */
export type MachineRmInput = Shape<typeof Input>;
