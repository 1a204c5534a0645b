import { rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { type ErrorBody, errorBody } from "@ployz/errors";
import type { GatewayView } from "@ployz/primitives/protocol";
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
  challenge?(
    order: string,
    answers: Readonly<Record<string, string>>,
    proofs: Readonly<Record<string, string>>,
  ): Promise<void>;
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

/** Answer to a request that the gateway may refuse. */
export type Told = { readonly served: boolean; readonly error?: ErrorBody };

async function answerCertificates(
  served: Answering,
  path: "/certificates" | "/challenges" | "/users",
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method, url = "" } = incoming;
  if (method !== "POST" || served.certify === undefined) return void response.writeHead(400).end();
  const asked = [...new URLSearchParams(url.split("?", 2)[1])];
  const answers = Object.fromEntries(
    asked.flatMap(([key, answer]) => (key.startsWith(".") ? [[key.slice(1), answer]] : [])),
  );
  let said: Told = { served: true };
  try {
    if (path === "/certificates") await served.certify();
    else if (path === "/users") await served.users?.();
    else {
      const order = asked.find(([key]) => key === "order")?.[1] ?? "";
      await served.challenge?.(order, answers, JSON.parse((await text(incoming)) || "{}"));
    }
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
