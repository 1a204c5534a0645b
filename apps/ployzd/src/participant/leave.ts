import type { Session } from "@ployz/nats-store";
import { PloyzError } from "../error-codes.ts";
import type { Handlers } from "./handlers.ts";

export interface LeaveDeps {
  readonly self: string;
  readonly observe: Handlers["machine.observe"];
  /** Operations that this daemon runs. */
  running(): readonly string[];
  /** Resolves when the order is on disk; the machine leaves after this call is answered. */
  leaving(operation: string): Promise<void>;
}

export function leaveHandler(deps: LeaveDeps): Pick<Handlers, "machine.leave"> {
  return {
    "machine.leave": async ({ operation }, context) => {
      const [busy] = deps.running();
      if (busy !== undefined)
        throw new PloyzError({
          code: "scope_busy",
          message: `operation ${busy} runs on ${deps.self}`,
          hint: `ployzctl ops watch ${busy}`,
        });
      const { volumes } = await deps.observe({}, context);
      await deps.leaving(operation);
      return { kept: volumes.map(({ id }) => id) };
    },
  };
}

/** Resolves when the store refuses this machine's key, after `ms` at the latest. */
export const cutOff = (session: Pick<Session, "onEvent">, ms: number): Promise<void> =>
  new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      unlisten();
      resolve();
    };
    const timer = setTimeout(end, ms);
    const unlisten = session.onEvent((event) => {
      if (event === "disconnected") end();
    });
  });
