import { randomBytes } from "node:crypto";
import type { Clock } from "@ployz/primitives";
import { ulid } from "@ployz/primitives/protocol";

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      if (signal?.aborted === true) end();
      else signal?.addEventListener("abort", end, { once: true });
    }),
};

/** Clocks may differ by this much. */
export const SKEW_MS = 5_000;

/** How far a clock is ahead of this machine's, in milliseconds: nothing within the time of the call that read it at an unknown moment. */
export function skewOf(
  clockMs: number,
  { asked, answered }: { readonly asked: number; readonly answered: number },
): number {
  if (clockMs >= asked && clockMs <= answered) return 0;
  return clockMs < asked ? clockMs - asked : clockMs - answered;
}

export const operationIds = { newOperationId: () => ulid(Date.now(), randomBytes) };
