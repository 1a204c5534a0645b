import { Transform } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";

export interface MeterOptions {
  readonly signal: AbortSignal;
  readonly bytesPerSecond?: number;
  /** At most five times a second, and at the end. */
  onBytes(done: number): void;
}

const REPORT_MS = 200;

/** Counts what goes through, and makes it wait when that is more than it may be: the sender waits too, by back-pressure. */
export function meter(options: MeterOptions): Transform & { readonly bytes: number } {
  const { signal, bytesPerSecond, onBytes } = options;
  const started = performance.now();
  let bytes = 0;
  let reported = started;
  const report = () => {
    if (performance.now() - reported < REPORT_MS) return;
    reported = performance.now();
    onBytes(bytes);
  };
  const wait = async (): Promise<void> => {
    if (bytesPerSecond === undefined) return;
    const due = started + (bytes / bytesPerSecond) * 1_000;
    for (let left = due - performance.now(); left > 1; left = due - performance.now()) {
      await delay(Math.min(left, REPORT_MS), undefined, { signal });
      report(); // also a sign of life to the caller
    }
  };
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      bytes += chunk.length;
      report();
      wait().then(() => next(null, chunk), next);
    },
    flush(next) {
      onBytes(bytes);
      next();
    },
  });
  return Object.defineProperty(stream, "bytes", { get: () => bytes }) as Transform & {
    readonly bytes: number;
  };
}
