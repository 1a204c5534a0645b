import { PloyzError } from "@ployz/errors";
import type { Kinds, PlannedStep, Primitive, PrimitivePorts, StepDef, Summary } from "../../engine/types.ts";
import type { Json } from "../../model/json.ts";

type Apply = StepDef<PrimitivePorts, Json, Json>["apply"];
type Undo = NonNullable<StepDef<PrimitivePorts, Json, Json>["undo"]>;

/** What happens around each step. */
export interface Around {
  /** Instead of a step's effect; `real` does it. */
  apply?(kind: string, args: Json, real: () => Promise<Json>): Promise<Json>;
  /** Instead of a step's undo; `real` does it. */
  undo?(kind: string, args: Json, real: () => Promise<void>): Promise<void>;
}

/** The same primitive with something done around its steps. */
export function around<Ports extends PrimitivePorts, In extends Json, F, K extends Kinds, R extends Json>(
  primitive: Primitive<Ports, In, F, K, R, Summary, unknown>,
  how: Around,
): Primitive<Ports, In, F, K, R, Summary, unknown> {
  const steps = Object.fromEntries(
    Object.entries(primitive.steps).map(([kind, value]) => {
      const def = value as StepDef<PrimitivePorts, Json, Json>;
      const apply: Apply = (args, context) => {
        const real = () => def.apply(args, context);
        return how.apply ? how.apply(kind, args, real) : real();
      };
      const undo: Undo | undefined =
        def.undo &&
        ((args, context) => {
          const real = async () => def.undo?.(args, context);
          return how.undo ? how.undo(kind, args, real) : real();
        });
      return [kind, { ...def, apply, ...(undo && { undo }) }];
    }),
  );
  // Spread would drop what a primitive keeps on a prototype.
  return Object.assign(Object.create(primitive) as typeof primitive, { steps });
}

export const twice: Around = {
  async apply(_kind, _args, real) {
    await real();
    return real();
  },
};

export function failing(step: Pick<PlannedStep, "kind" | "args">, when: "before" | "after"): Around {
  const wanted = JSON.stringify(step.args);
  return {
    async apply(kind, args, real) {
      const hit = kind === step.kind && JSON.stringify(args) === wanted;
      if (hit && when === "before") throw injected(kind);
      const out = await real();
      if (hit) throw injected(kind);
      return out;
    },
    async undo(_kind, _args, real) {
      await real();
      await real();
    },
  };
}

function injected(kind: string): PloyzError {
  return new PloyzError({ code: "injected_fault", message: `injected into ${kind}` });
}
