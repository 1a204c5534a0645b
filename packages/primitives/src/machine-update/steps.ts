import { errorBody } from "@ployz/errors";
import type { Primitive, StepContext } from "../engine/types.ts";
import { PloyzError } from "../error-codes.ts";
import type { Json } from "../model/json.ts";
import type { MachineUpdateInput } from "./input.ts";
import type { MachineUpdateFacts, MachineUpdatePorts } from "./observe.ts";
import type { MachineUpdateKinds } from "./plan.ts";

type Steps = Primitive<
  MachineUpdatePorts,
  MachineUpdateInput,
  MachineUpdateFacts,
  MachineUpdateKinds,
  Json
>["steps"];

const MINUTE = 60_000;
/** One question; a daemon that is being replaced does not answer, and is asked again. */
const ASK_MS = 5_000;

export const steps: Steps = {
  "payload.ensure": {
    timeoutMs: () => 10 * MINUTE,
    retryTransient: true,
    apply: ({ machine, build, source }, { call, operation, signal, progress }) =>
      call(
        machine,
        "payload.ensure",
        { build, source, operation },
        {
          timeoutMs: 9 * MINUTE,
          signal,
          onProgress: (value) => progress("sending", value as { done: number; total?: number }),
        },
      ),
    async undo({ machine, build }, { call, operation, signal }) {
      await call(machine, "payload.remove", { build, operation }, { timeoutMs: MINUTE, signal });
    },
  },
  "update.switch": {
    timeoutMs: () => MINUTE,
    retryTransient: true,
    async apply({ machine, to }, { call, operation, signal }) {
      await call(
        machine,
        "update.switch",
        { build: to, back: false, operation },
        { timeoutMs: ASK_MS, signal },
      );
      return null;
    },
    async undo({ machine, from }, context) {
      const { call, operation, signal } = context;
      await whileItRestarts(machine, async () => {
        await call(
          machine,
          "update.switch",
          { build: from, back: true, operation },
          { timeoutMs: ASK_MS, signal },
        );
        await call(machine, "update.await", { build: from }, { timeoutMs: ASK_MS, signal });
      });
    },
  },
  "update.await": {
    timeoutMs: () => 2 * MINUTE,
    retryTransient: true,
    // It may have gone back since: by itself, or by hand.
    fleeting: () => true,
    async apply({ machine, build }, context) {
      const { version, disturbed } = await whileItRestarts(machine, () =>
        awaitBuild(machine, build, context),
      );
      if (disturbed.length === 0) return { version };
      const what = disturbed.map((one) => `${one.what} (${one.why})`).join(", ");
      throw new PloyzError({
        code: "update_disturbed",
        message: `the new build did not adopt all that ran on ${machine}: ${what}`,
        hint: `look at its daemon's log on ${machine}`,
        machine,
        details: { disturbed },
      });
    },
  },
};

const awaitBuild = (
  machine: string,
  build: string,
  { call, signal }: Pick<StepContext<MachineUpdatePorts>, "call" | "signal">,
) => call(machine, "update.await", { build }, { timeoutMs: ASK_MS, signal });

/**
 * The daemon is away for as long as its machine tries the new build, longer than the engine waits for a machine that does not answer.
 * The step's own deadline is the bound.
 */
async function whileItRestarts<T>(machine: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (errorBody(error).code !== "machine_unreachable") throw error;
    throw new PloyzError(
      {
        code: "deadline_exceeded",
        message: `the daemon of ${machine} does not answer`,
        hint: `look at it on ${machine}: ployzctl daemon status`,
        machine,
      },
      { cause: error },
    );
  }
}
