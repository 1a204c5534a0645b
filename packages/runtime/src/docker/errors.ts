import { PloyzError, type RuntimeErrorCode } from "../error-codes.ts";

interface EngineError {
  readonly statusCode?: number;
  readonly code?: string;
  readonly reason?: string;
  readonly json?: { readonly message?: string };
  readonly message?: string;
}

/** The HTTP status of an answer of the engine; `undefined` when it gave none. */
export function statusOf(error: unknown): number | undefined {
  return (error as EngineError).statusCode;
}

/** Turns dockerode's errors into typed errors that name the call. Passes a `PloyzError` through. */
export function asDockerError(what: string, error: unknown): Error {
  if (error instanceof PloyzError) return error;
  const { statusCode, code, json, message = String(error) } = error as EngineError;
  const why = json?.message ?? message;
  if (
    statusCode === undefined &&
    ["ECONNREFUSED", "ENOENT", "EACCES", "ECONNRESET", "EPIPE"].includes(code ?? "")
  ) {
    return new PloyzError(
      {
        code: "docker_unavailable",
        message: `the Docker engine does not answer: ${what} failed (${code})`,
        hint: "is dockerd running, and may this user open its socket? docker info",
      },
      { cause: error },
    );
  }
  if (/no space left on device/i.test(why))
    return typed("disk_full", what, why, error, "free some space: docker system df");
  if (/address already in use/i.test(why))
    return typed("address_in_use", what, why, error, "another container has this address");
  if (/bind source path does not exist/i.test(why))
    return typed("mount_source_missing", what, why, error, "create it before the instance");
  if (/unable to find user|no matching entries in passwd/i.test(why))
    return typed("user_unknown", what, why, error);
  if (statusCode === 404 && /no such image/i.test(why)) {
    return typed("image_missing", what, why, error, "pull or distribute the image first");
  }
  if (statusCode === 404 && /no such container/i.test(why))
    return typed("instance_missing", what, why, error);
  return typed("docker_failed", what, why, error);
}

/** Runs one call to the engine; `what` names it for the error. */
export async function engine<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw asDockerError(what, error);
  }
}

/** As `engine`, but `undefined` for a missing object (404) and for a no-op (304). */
export async function engineUnless<T>(
  statuses: readonly number[],
  what: string,
  call: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    const status = statusOf(error);
    if (status !== undefined && statuses.includes(status)) return undefined;
    throw asDockerError(what, error);
  }
}

function typed(code: RuntimeErrorCode, what: string, why: string, cause: unknown, hint?: string): PloyzError {
  return new PloyzError({ code, message: `${what}: ${why}`, ...(hint !== undefined && { hint }) }, { cause });
}
