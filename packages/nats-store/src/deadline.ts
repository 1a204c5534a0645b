import { createBackoff } from "@ployz/exec";
import { errors } from "nats";
import { isTransient, storeError, unavailable } from "./errors.ts";
import type { Link, Session } from "./session.ts";

/**
 * Runs one store call within the session's deadline: waits for the connection, and repeats `attempt` after transient failures. The deadline
 * is short while the store has been unavailable for long, so that the call fails fast. Only for reads, and for writes that settle the
 * outcome of earlier attempts.
 * @throws PloyzError `store_unavailable` at the deadline; other failures at once.
 */
export async function withinDeadline<T>(
  session: Session,
  what: string,
  attempt: (link: Link) => Promise<T>,
): Promise<T> {
  const start = performance.now();
  const end = start + session.patienceMs();
  let cause: unknown;
  const backoff = createBackoff(20, 250);
  for (;;) {
    const left = end - performance.now();
    if (left <= 0) throw unavailable(session, { what, waitedMs: end - start }, cause);
    try {
      return await within(left, async () => {
        const link = await session.link();
        // The connection may come back long after the caller got its error.
        if (performance.now() >= end) throw outOfTime;
        return untilDisconnected(session, attempt(link));
      });
    } catch (error) {
      if (!isTransient(error)) throw storeError(what, error);
      if (error !== outOfTime) cause = error;
    }
    await backoff.pause(undefined, Math.max(0, end - performance.now()));
  }
}

/** After a lost connection no reply can come: do not wait for the time-out. */
async function untilDisconnected<T>(session: Session, work: Promise<T>): Promise<T> {
  let off = () => {};
  const gone = new Promise<never>((_, reject) => {
    off = session.onEvent(() => reject(new errors.ConnectionError("the connection to the store was lost")));
  });
  try {
    return await Promise.race([work, gone]);
  } finally {
    off();
  }
}

const outOfTime = new Error("out of time");
outOfTime.name = "TimeoutError";

async function within<T>(ms: number, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(outOfTime), ms);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}
