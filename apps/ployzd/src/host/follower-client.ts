import { watch } from "node:fs";
import { type RequestOptions, request } from "node:http";
import { basename, dirname } from "node:path";
import { PloyzError as GatewayError } from "@ployz/errors";
import type { GatewayView } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import { createWaiters } from "../waiters.ts";
import type { Told } from "./follower-socket.ts";

export interface FollowerState {
  readonly applied: Readonly<Record<string, number>>;
  readonly status: unknown;
}

/** Reads a follower's state; given a commit, waits until it is applied. `follower_unreachable` when it does not run. */
export function askFollower(
  socket: string,
  wait: { namespace: string; revision: number } | undefined,
  signal: AbortSignal,
): Promise<FollowerState> {
  const query =
    wait === undefined ? "" : `?namespace=${encodeURIComponent(wait.namespace)}&revision=${wait.revision}`;
  return ask<FollowerState>({ socketPath: socket, path: `/applied${query}`, signal });
}

/** Milliseconds: a follower that ended is back within this time, started by the machine's supervisor. */
const RESTART_MS = 5_000;

/**
 * As {@link askFollower}, but one that is being restarted is waited for, `restartMs` at most.
 * @throws PloyzError `follower_unreachable`
 */
export async function askRestarting(
  socket: string,
  wait: { readonly namespace: string; readonly revision: number },
  signal: AbortSignal,
  restartMs = RESTART_MS,
): Promise<FollowerState> {
  const restarted = createWaiters();
  const patience = AbortSignal.any([signal, AbortSignal.timeout(restartMs)]);
  let changes = 0;
  // Watched before the question: a socket made in between counts.
  const watcher = watch(dirname(socket), (_event, name) => {
    if (name !== basename(socket)) return;
    changes += 1;
    restarted.look();
  });
  try {
    for (;;) {
      const seen = changes;
      try {
        return await askFollower(socket, wait, signal);
      } catch (error) {
        if (!isUnreachable(error)) throw error;
        const back = await restarted
          .until(() => changes > seen, patience)
          .then(
            () => true,
            () => false,
          );
        signal.throwIfAborted();
        if (!back) throw error;
      }
    }
  } finally {
    watcher.close();
  }
}

export const isUnreachable = (error: unknown): boolean =>
  error instanceof PloyzError && error.code === "follower_unreachable";

/** Makes a gateway hold requests for a service. `follower_unreachable` when it does not run, or HAProxy does not. */
export function askHold(
  socket: string,
  { namespace, service, ms }: { namespace: string; service: string; ms: number },
  signal: AbortSignal,
): Promise<{ readonly held: boolean }> {
  const query = new URLSearchParams({ namespace, service, ms: String(ms) });
  return ask<{ held: boolean }>({ socketPath: socket, method: "POST", path: `/hold?${query}`, signal });
}

/** Has the gateway serve this machine's certificates. False: there is no gateway here. @throws PloyzError of the gateway. */
export async function askCertify(socket: string, signal: AbortSignal): Promise<{ readonly served: boolean }> {
  return told(ask<Told>({ socketPath: socket, method: "POST", path: "/certificates", signal }));
}

/** What this machine's gateway serves now. `follower_unreachable` when it does not run, or HAProxy does not answer. */
export const askGateway = (socket: string, signal: AbortSignal): Promise<GatewayView> =>
  ask<GatewayView>({ socketPath: socket, path: "/gateway", signal });

/** Has the gateway serve this machine's copies of the users of routes. False: there is no gateway here. */
export async function askUsers(socket: string, signal: AbortSignal): Promise<{ readonly served: boolean }> {
  return told(ask<Told>({ socketPath: socket, method: "POST", path: "/users", signal }));
}

/** Has the gateway answer an order's challenges. */
export async function askChallenge(
  socket: string,
  {
    order,
    answers,
    proofs = {},
  }: {
    readonly order: string;
    readonly answers: Readonly<Record<string, string>>;
    readonly proofs?: Readonly<Record<string, string>>;
  },
  signal: AbortSignal,
): Promise<{ readonly served: boolean }> {
  const query = new URLSearchParams({
    order,
    ...Object.fromEntries(Object.entries(answers).map(([token, text]) => [`.${token}`, text])),
  });
  return told(
    ask<Told>(
      { socketPath: socket, method: "POST", path: `/challenges?${query}`, signal },
      JSON.stringify(proofs),
    ),
  );
}

async function told(asked: Promise<Told>): Promise<{ readonly served: boolean }> {
  try {
    const { error, served } = await asked;
    if (error !== undefined) throw new GatewayError(error);
    return { served };
  } catch (error) {
    if (isUnreachable(error)) return { served: false };
    throw error;
  }
}

/** Makes a follower read this machine's runs again. `follower_unreachable` when it does not run. */
export async function askLook(socket: string, signal: AbortSignal): Promise<void> {
  await ask<object>({ socketPath: socket, method: "POST", path: "/look", signal });
}

function ask<T>(
  options: RequestOptions & { readonly socketPath: string; readonly signal: AbortSignal },
  body?: string,
): Promise<T> {
  const { signal, socketPath } = options;
  return new Promise((resolve, reject) => {
    const fail = (error: Error) =>
      reject(
        signal.aborted
          ? signal.reason
          : new PloyzError(
              {
                code: "follower_unreachable",
                message: `nothing answers on ${socketPath}`,
                hint: "check the service: ployzctl daemon status",
              },
              { cause: error },
            ),
      );
    const asking = request(options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => {
        if (!response.complete) return fail(new Error("cut off"));
        try {
          if (response.statusCode !== 200)
            throw new Error(`it answered ${response.statusCode} ${text}`.trim());
          resolve(JSON.parse(text) as T);
        } catch (error) {
          fail(error as Error); // an error thrown in an event handler would end the daemon
        }
      });
      response.on("error", fail);
    });
    asking.on("error", fail);
    asking.end(body);
  });
}
