/** Callers that wait until something holds. */
export interface Waiters {
  /** Resolves once `holds`, at once if it does already; rejects when `signal` aborts. */
  until(holds: () => boolean, signal: AbortSignal): Promise<void>;
  /** After a change: checks every waiter's condition again. */
  look(): void;
}

export function createWaiters(): Waiters {
  const waiting = new Set<() => void>();
  return {
    look() {
      for (const look of [...waiting]) look();
    },
    until: (holds, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason); // its event has already fired
        const end = () => {
          waiting.delete(look);
          signal.removeEventListener("abort", abort);
        };
        const look = () => {
          if (!holds()) return;
          end();
          resolve();
        };
        const abort = () => {
          end();
          reject(signal.reason);
        };
        waiting.add(look);
        signal.addEventListener("abort", abort, { once: true });
        look();
      }),
  };
}
