import { errorBody } from "@ployz/errors";
import type { StepDef } from "../engine/types.ts";
import { PloyzError } from "../error-codes.ts";
import type { EvacuateInput } from "../evacuate/input.ts";
import { committedOn, type MembershipPorts } from "./observe.ts";

/** Steps that changes of a machine's place share. */
export type SharedKinds = {
  /** Waits until `machine` follows the record of `of` as it stands. One that does not answer follows when it is back. */
  "membership.follow": {
    args: { readonly machine: string; readonly of: string };
    out: { readonly warning?: string };
  };
  evacuate: {
    args: EvacuateInput;
    /** `operation` of its own, unless nothing was left to move. */
    out: { readonly operation?: string; readonly warnings: readonly string[] };
  };
  /** Fails when something is committed there still. */
  vacant: { args: { readonly machine: string }; out: null };
};

type Steps = {
  readonly [N in keyof SharedKinds]: StepDef<MembershipPorts, SharedKinds[N]["args"], SharedKinds[N]["out"]>;
};

const SECOND = 1000;
const DAY = 86_400 * SECOND;
const FOLLOW = 10 * SECOND;

export const sharedSteps: Steps = {
  "membership.follow": {
    timeoutMs: () => 3 * FOLLOW,
    retryTransient: true,
    async apply({ machine, of }, { call, ports, signal }) {
      const record = await ports.store.facts.get(`machine.${of}`);
      const revision = record?.revision ?? 0;
      return follow(machine, () =>
        call(machine, "membership.await", { revision }, { timeoutMs: FOLLOW, signal }),
      );
    },
  },
  evacuate: {
    timeoutMs: () => DAY,
    retryTransient: false,
    async apply(input, { ports, signal, progress }) {
      for (;;) {
        try {
          const nested = { primitive: "evacuate", input };
          const { operation, owed, warnings } = await ports.operations.run(nested, { signal, progress });
          const left = owed.map(({ step, error }) => `${operation} owes ${step}: ${error.message}`);
          return { ...(operation !== undefined && { operation }), warnings: [...warnings, ...left] };
        } catch (error) {
          const { code, message } = errorBody(error);
          if (code !== "scope_busy") throw error;
          progress(`waiting: ${message}`);
          await ports.store.leases.whenFree(`deploy.${input.namespace}`, signal);
          signal.throwIfAborted();
        }
      }
    },
    /** What it has committed stays. */
    undo: (input, { ports }) => ports.operations.clear({ primitive: "evacuate", input }),
  },
  vacant: {
    timeoutMs: () => 10 * SECOND,
    retryTransient: true,
    async apply({ machine }, { ports }) {
      const heads = await ports.store.commits.heads();
      const left = committedOn(
        heads.map(({ value, revision }) => ({ commit: value, revision })),
        machine,
      );
      if (left.length === 0) return null;
      throw new PloyzError({
        code: "machine_not_empty",
        message: `meanwhile another operation put ${left.join(", ")} on ${machine}`,
        hint: "run the same command again",
        machine,
      });
    },
  },
};

/** The warning when the machine does not answer; other errors are thrown. */
export async function follow(
  machine: string,
  wait: () => Promise<unknown>,
): Promise<{ readonly warning?: string }> {
  try {
    await wait();
    return {};
  } catch (error) {
    const { code, message } = errorBody(error);
    if (code !== "machine_unreachable" && code !== "deadline_exceeded") throw error;
    return { warning: `machine ${machine} follows when it answers again: ${message}` };
  }
}
