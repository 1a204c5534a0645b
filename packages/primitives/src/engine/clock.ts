import { setMaxListeners } from "node:events";
import { PloyzError } from "../error-codes.ts";

/** Time, injected: the engine never reads the machine's clock. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms`, or at once when `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** An abort controller that many steps may listen to at once: Node warns of a leak from the eleventh listener on. */
export function abortController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

/** Runs `listener` when `signal` aborts (at once if it has). Returns how to stop listening. */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) {
    listener();
    return () => {};
  }
  signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}

export interface Bound {
  readonly clock: Clock;
  readonly ms: number;
  readonly parent: AbortSignal;
  /** How long aborted work may take to end; after that the engine stops waiting for it. */
  readonly graceMs: number;
  /** The error at the deadline. Called only then. */
  expired(): { readonly message: string; readonly hint?: string; readonly cause?: unknown };
}

/** The reason of a signal that only ends timers: without one, each end would make an exception with a stack trace. */
const OVER = "over";

/**
 * Runs `work` under a deadline and a parent signal. Fails with `deadline_exceeded`, with the parent's abort reason, or with what
 * `work` threw. When it resolves or rejects, `work` has ended or has had `graceMs` to.
 */
export async function within<T>(bound: Bound, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const inner = abortController();
  const over = new AbortController();
  const unlink = onAbort(bound.parent, () => inner.abort(bound.parent.reason));
  void bound.clock.sleep(bound.ms, over.signal).then(() => {
    if (over.signal.aborted || inner.signal.aborted) return;
    const { cause, ...said } = bound.expired();
    inner.abort(new PloyzError({ code: "deadline_exceeded", ...said }, { cause }));
  });
  try {
    return await Promise.race([work(inner.signal), afterAbort(inner.signal, over.signal, bound)]);
  } catch (error) {
    throw inner.signal.aborted ? inner.signal.reason : error;
  } finally {
    unlink();
    over.abort(OVER);
  }
}

function afterAbort(signal: AbortSignal, over: AbortSignal, bound: Bound): Promise<never> {
  return new Promise((_, reject) => {
    const unlink = onAbort(signal, () => {
      void bound.clock.sleep(bound.graceMs, over).then(() => reject(signal.reason));
    });
    onAbort(over, unlink);
  });
}
