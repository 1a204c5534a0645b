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

export const operationIds = { newOperationId: () => ulid(Date.now(), randomBytes) };
