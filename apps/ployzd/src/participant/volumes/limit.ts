import { type Readable, Transform } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";

const REPORT_MS = 200;

/** At most five times a second. */
export function sparingly(report: () => void): () => void {
  let reported = performance.now();
  return () => {
    if (performance.now() - reported < REPORT_MS) return;
    reported = performance.now();
    report();
  };
}

export interface LimitOptions {
  readonly signal: AbortSignal;
  readonly bytesPerSecond: number;
  /** Heartbeats while it waits. */
  onWait(): void;
}

/** Delays data above the rate limit; back-pressure delays the sender too. */
export function limited(source: Readable, { signal, bytesPerSecond, onWait }: LimitOptions): Readable {
  const started = performance.now();
  let bytes = 0;
  const wait = async (): Promise<void> => {
    const due = started + (bytes / bytesPerSecond) * 1_000;
    for (let left = due - performance.now(); left > 1; left = due - performance.now()) {
      await delay(Math.min(left, REPORT_MS), undefined, { signal });
      onWait();
    }
  };
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      bytes += chunk.length;
      wait().then(() => next(null, chunk), next);
    },
  });
  source.once("error", (error) => stream.destroy(error));
  stream.once("close", () => source.destroy());
  return source.pipe(stream);
}
