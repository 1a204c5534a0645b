import type { Primitive, PrimitivePorts } from "@ployz/primitives";
import type { Facts, Input, Kinds } from "./plan.ts";

type Steps = Primitive<PrimitivePorts, Input, Facts, Kinds, string>["steps"];

/** The effects. Each may run twice, and `undo` may run without an earlier effect: the machine's commands are idempotent. */
export const steps: Steps = {
  reserve: {
    timeoutMs: () => 10_000,
    retryTransient: true,
    apply: ({ id, machine }, { call, signal }) =>
      call(machine, "instance.reserve", { id }, { timeoutMs: 5_000, signal }),
    undo: async ({ id, machine }, { call, signal }) => {
      await call(machine, "instance.release", { id }, { timeoutMs: 5_000, signal });
    },
  },
  // After the commit: forward only, so it needs no undo.
  release: {
    timeoutMs: () => 10_000,
    retryTransient: true,
    apply: ({ id, machine }, { call, signal }) =>
      call(machine, "instance.release", { id }, { timeoutMs: 5_000, signal }),
  },
};
