import { JetStreamApiError } from "@nats-io/jetstream";
import { errors } from "nats";
import { PloyzError } from "./error-codes.ts";

export const closed = () =>
  new PloyzError({
    code: "store_closed",
    message: "this process closed its connection to the store",
    hint: "the daemon is stopping; run the command again when it is back",
  });

export const olderGeneration = (found: number, known: number) =>
  new PloyzError({
    code: "store_generation_older",
    message: `a store server of generation ${found} answered; this machine knows generation ${known}`,
    hint: "stop that old server, and check that the store machines of the present generation are up; nothing was sent to the old one",
    details: { found, known },
  });

/** JetStream API error codes, from the server's errors.json. */
const wrongLastSequence = 10071;
const wrongLastSequenceUnknown = 10164;
const streamNotFound = 10059;
const transientCodes = new Set([
  10008, // system temporarily unavailable
  10009, // no cluster leader
  10023, // insufficient resources
  10077, // stream store failed: being recovered
  10118, // stream is offline
  10158, // this very message id is on its way to the other servers
]);

/** The compare-and-set lost: another message is the last one. */
export function isConflict(error: unknown): boolean {
  return (
    error instanceof JetStreamApiError &&
    (error.code === wrongLastSequence || error.code === wrongLastSequenceUnknown)
  );
}

export const isStreamMissing = (error: unknown) =>
  error instanceof JetStreamApiError && error.code === streamNotFound;

/** Transient failures: no reply, no server, no leader. The attempt's outcome is unknown. */
export function isTransient(error: unknown): boolean {
  if (error instanceof PloyzError) return false;
  if (error instanceof JetStreamApiError) return error.status === 503 || transientCodes.has(error.code);
  if (!(error instanceof Error)) return false;
  if (error instanceof errors.TimeoutError || error.name === "TimeoutError") return true;
  if (forbidden(error)) return false;
  return (
    error instanceof errors.NoRespondersError ||
    error instanceof errors.RequestError ||
    error instanceof errors.ConnectionError ||
    error instanceof errors.ClosedConnectionError ||
    error instanceof errors.DrainingConnectionError ||
    error.name === "JetStreamNotEnabled" ||
    (error.cause !== undefined && isTransient(error.cause))
  );
}

/** The server refused the subject; the client wraps that in a failed request. */
function forbidden(error: unknown): InstanceType<typeof errors.PermissionViolationError> | undefined {
  if (error instanceof errors.PermissionViolationError) return error;
  return error instanceof Error && error.cause !== undefined ? forbidden(error.cause) : undefined;
}

export const isForbidden = (error: unknown) => forbidden(error) !== undefined;

/** A fenced store refuses writes; the next generation accepts them again. */
export function writesRefused(cause: unknown): Error {
  const error = new Error("the store refuses writes: it is being re-founded", { cause });
  error.name = "TimeoutError"; // a transient failure
  return error;
}

/** The duration of the outage and the outcome of the last attempt are unknown. */
export function unavailable(
  session: {
    readonly lastError: () => unknown;
    readonly connected: () => boolean;
    readonly blocked?: () => PloyzError | undefined;
  },
  { what, waitedMs }: { readonly what: string; readonly waitedMs: number },
  cause: unknown,
): PloyzError {
  const blocked = session.blocked?.();
  if (blocked !== undefined) return blocked;
  const last = session.lastError();
  const refused = !session.connected() && last instanceof errors.AuthorizationError;
  const reason = cause ?? last;
  return new PloyzError(
    {
      code: "store_unavailable",
      message: `the store does not answer (${what}: nothing within ${Math.round(waitedMs)} ms)`,
      hint: refused
        ? "the store refuses this machine's key; run `ployzctl machine ls` on a store machine to check that this machine is a member"
        : "check that a store machine is up and reachable over the mesh (`ployzctl status`), then run the command again",
      ...(reason instanceof Error && { details: { reason: reason.message } }),
    },
    reason === undefined ? undefined : { cause: reason },
  );
}

/** This machine's server takes no write. */
export const storeFull = (path: string, room: { readonly freeBytes: number; readonly usedBytes: number }) =>
  new PloyzError({
    code: "disk_full",
    message: `the store takes no write: ${path} has ${mebibytes(room.freeBytes)} free, and the store holds ${mebibytes(room.usedBytes)}`,
    hint: "free some space there; the store takes writes again within 20 s",
    details: { path, ...room },
  });

const mebibytes = (bytes: number) => `${Math.floor(bytes / 2 ** 20)} MiB`;

/** Turns a final failure into an operator's error. */
export function storeError(what: string, error: unknown): Error {
  if (error instanceof PloyzError) return error;
  const refused = forbidden(error);
  if (refused) {
    return new PloyzError(
      {
        code: "store_forbidden",
        message: `${what}: this machine may not ${refused.operation === "publish" ? "publish to" : "subscribe to"} ${refused.subject}`,
        hint: "run the command on a store machine, or add this machine to the store: ployzctl machine storage promote",
      },
      { cause: error },
    );
  }
  if (isStreamMissing(error)) {
    return new PloyzError(
      {
        code: "store_not_initialised",
        message: `${what}: the store server does not have this stream`,
        hint: "the store was not set up by `mesh init`, or this is another cluster's server",
      },
      { cause: error },
    );
  }
  return error instanceof Error
    ? new Error(`${what}: ${error.message}`, { cause: error })
    : new Error(`${what}: ${String(error)}`);
}
