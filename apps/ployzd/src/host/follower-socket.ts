import { rm } from "node:fs/promises";
import {
  createServer,
  type IncomingMessage,
  type RequestOptions,
  request,
  type ServerResponse,
} from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { type ErrorBody, errorBody, PloyzError as GatewayError } from "@ployz/errors";
import type { GatewayView } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import { createWaiters } from "../waiters.ts";

/** A follower's applied state: the last commit of each namespace. */
export interface Applied {
  /** Resolves when the namespace is at `revision` or later; rejects when `signal` aborts. */
  reached(namespace: string, revision: number, signal: AbortSignal): Promise<void>;
  set(revisions: ReadonlyMap<string, number>): void;
  snapshot(): Readonly<Record<string, number>>;
}

export function trackApplied(): Applied {
  let present: ReadonlyMap<string, number> = new Map();
  const waiters = createWaiters();
  return {
    set(revisions) {
      present = new Map(revisions);
      waiters.look();
    },
    snapshot: () => Object.fromEntries(present),
    reached: (namespace, revision, signal) =>
      waiters.until(() => (present.get(namespace) ?? 0) >= revision, signal),
  };
}

/** The server side of a follower, as its socket needs it. */
export interface Answering {
  status(): object;
  /** What only a look at the machine tells; not for those who wait for a commit. */
  live?(): Promise<object>;
  staleMs?(namespace: string): number;
  hold?(namespace: string, service: string, ms: number): Promise<boolean>;
  /** Serves the certificates on this machine's disk. */
  certify?(): Promise<void>;
  /** What the gateway serves now. */
  show?(): Promise<GatewayView>;
  /** Serves the users of routes on this machine's disk. */
  users?(): Promise<void>;
  /** Answers these challenges of an order, and no longer those that it had before. */
  challenge?(order: string, answers: Readonly<Record<string, string>>): Promise<void>;
  /** Reads this machine's own state again, and resolves when it is served. */
  look?(signal: AbortSignal): Promise<void>;
}

/**
 * `GET /applied` answers with the applied state; with `?namespace&revision` only once that revision is applied and no client uses earlier
 * answers: then an instance removed by the commit may be stopped. `POST /hold?namespace&service&ms` answers whether requests for the
 * service wait from now on.
 */
export async function serveApplied(
  socket: string,
  applied: Applied,
  served: Answering,
): Promise<() => Promise<void>> {
  await rm(socket, { force: true });
  const server = createServer((incoming, response) => {
    const [path, query = ""] = (incoming.url ?? "").split("?", 2);
    const asked = new URLSearchParams(query);
    if (path === "/certificates" || path === "/challenges" || path === "/users")
      return void answerCertificates(served, path, incoming, response);
    if (path === "/gateway") return void answerShow(served, response);
    if (path === "/hold") return void answerHold(served, incoming.method, asked, response);
    if (path === "/look" && incoming.method === "POST") return void answerLook(served, response);
    const namespace = asked.get("namespace");
    const revision = Number(asked.get("revision") ?? Number.NaN);
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    const answer = (live: object = {}) =>
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ applied: applied.snapshot(), status: { ...served.status(), ...live } }));
    const broken = () => response.destroy();
    if (namespace === null) (served.live?.() ?? Promise.resolve({})).then(answer).catch(broken);
    else if (!Number.isSafeInteger(revision)) response.writeHead(400).end();
    else
      applied
        .reached(namespace, revision, gone.signal)
        .then(() => delay(served.staleMs?.(namespace) ?? 0, undefined, { signal: gone.signal }))
        .then(() => answer())
        .catch(broken);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socket, resolve);
  });
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
}

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
  { order, answers }: { readonly order: string; readonly answers: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<{ readonly served: boolean }> {
  const query = new URLSearchParams({
    order,
    ...Object.fromEntries(Object.entries(answers).map(([token, text]) => [`.${token}`, text])),
  });
  return told(ask<Told>({ socketPath: socket, method: "POST", path: `/challenges?${query}`, signal }));
}

type Told = { readonly served: boolean; readonly error?: ErrorBody };

async function told(asked: Promise<Told>): Promise<{ readonly served: boolean }> {
  try {
    const { error, served } = await asked;
    if (error !== undefined) throw new GatewayError(error);
    return { served };
  } catch (error) {
    if (error instanceof PloyzError && error.code === "follower_unreachable") return { served: false };
    throw error;
  }
}

async function answerCertificates(
  served: Answering,
  path: "/certificates" | "/challenges" | "/users",
  { method, url = "" }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (method !== "POST" || served.certify === undefined) return void response.writeHead(400).end();
  const asked = [...new URLSearchParams(url.split("?", 2)[1])];
  const answers = Object.fromEntries(
    asked.flatMap(([key, text]) => (key.startsWith(".") ? [[key.slice(1), text]] : [])),
  );
  let said: Told = { served: true };
  try {
    if (path === "/certificates") await served.certify();
    else if (path === "/users") await served.users?.();
    else await served.challenge?.(asked.find(([key]) => key === "order")?.[1] ?? "", answers);
  } catch (error) {
    said = { served: false, error: errorBody(error) };
  }
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(said));
}

async function answerShow({ show }: Answering, response: ServerResponse): Promise<void> {
  try {
    if (show === undefined) return void response.writeHead(400).end();
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(await show()));
  } catch {
    response.destroy();
  }
}

/** Makes a follower read this machine's runs again. `follower_unreachable` when it does not run. */
export async function askLook(socket: string, signal: AbortSignal): Promise<void> {
  await ask<object>({ socketPath: socket, method: "POST", path: "/look", signal });
}

async function answerLook(served: Answering, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  try {
    await served.look?.(gone.signal);
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
  } catch {
    response.destroy();
  }
}

async function answerHold(
  served: Answering,
  method: string | undefined,
  asked: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const [namespace, service, ms] = [asked.get("namespace"), asked.get("service"), Number(asked.get("ms"))];
  if (method !== "POST" || !namespace || !service || !(ms >= 0)) return void response.writeHead(400).end();
  try {
    const held = (await served.hold?.(namespace, service, ms)) ?? false;
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ held }));
  } catch (error) {
    response.writeHead(500).end(error instanceof Error ? error.message : String(error));
  }
}

function ask<T>(
  options: RequestOptions & { readonly socketPath: string; readonly signal: AbortSignal },
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
    asking.end();
  });
}
