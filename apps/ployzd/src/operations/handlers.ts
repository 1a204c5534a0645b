import type { Handlers } from "../participant/handlers.ts";
import type { Runner } from "./runner.ts";

type OperationCommands = "operation.running" | "operation.abort";

/** Commands of other machines about operations of this daemon. */
export function operationHandlers(
  runner: Pick<Runner, "isRunning" | "isEnding" | "abort">,
  self: string,
): Pick<Handlers, OperationCommands> {
  return {
    "operation.running": async ({ operation }) => ({
      running: runner.isRunning(operation),
      ...(runner.isEnding(operation) && { ending: true }),
    }),
    "operation.abort": async ({ operation }) => {
      const running = runner.isRunning(operation);
      if (running) await runner.abort(operation, self);
      return { running };
    },
  };
}
