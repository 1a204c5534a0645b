import { errorBody } from "@ployz/errors";
import type { Primitive, PrimitivePorts } from "../../engine/types.ts";
import type { Json } from "../../model/json.ts";
import type { ChangeKinds } from "./kinds.ts";
import { volumeSteps } from "./volumes.ts";

type Steps = Pick<
  Primitive<PrimitivePorts, Json, unknown, ChangeKinds, Json>["steps"],
  "resume" | "gateway.release"
>;

const START = 60_000;
const QUICK = 15_000;
const SLACK = 5_000;

/** The ends of a stop that no commit follows. */
export const resumeSteps: Steps = {
  resume: {
    timeoutMs: ({ ready }) => START + ready.timeoutMs + SLACK + QUICK,
    retryTransient: true,
    fleeting: () => true,
    async apply({ machine, id, ...check }, { call, signal, progress }) {
      await call(machine, "instance.resume", { id }, { timeoutMs: START, signal });
      progress("waiting until it is ready again");
      const timeoutMs = check.ready.timeoutMs + SLACK;
      try {
        await call(machine, "instance.ready", { id, ...check }, { timeoutMs, signal });
        return {};
      } catch (error) {
        const { code, message } = errorBody(error);
        if (code !== "not_ready" && code !== "instance_exited") throw error;
        return { warning: `${id} was started again, and is not ready: ${message}` };
      }
    },
  },
  "gateway.release": {
    timeoutMs: () => QUICK,
    retryTransient: false,
    async apply(args, context) {
      await volumeSteps["gateway.hold"].undo?.(args, context);
      return null;
    },
  },
};
