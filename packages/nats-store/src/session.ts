import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { createBackoff } from "@ployz/exec";
import { connect, type NatsConnection, nkeyAuthenticator } from "nats";
import type { PloyzError } from "./error-codes.ts";
import { closed, olderGeneration } from "./errors.ts";
import { asToken, inboxPrefix } from "./names.ts";
import { generationOf } from "./server/config.ts";

/** Servers, identity and deadlines of a session. */
export interface SessionOptions {
  /** `host:port` of every store server. */
  readonly servers: readonly string[];
  readonly nkeySeed: string;
  readonly cluster: string;
  /** This machine's name. */
  readonly machine: string;
  /** The newest known generation of the store: older servers are never used. Default: any. */
  readonly generation?: number;
  /** Deadline of one store call, retries included. Default 5,000 ms; 15,000 with a set, which may elect twice (up to 7,000 each). */
  readonly deadlineMs?: number;
  /** Time-out of one attempt, before it is settled or sent again. Default 1,500 ms. */
  readonly attemptMs?: number;
  /** A known reason why the store does not answer, told in place of `store_unavailable`. */
  readonly blocked?: () => PloyzError | undefined;
}

export interface Link {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
}

/** A change of the connection. */
export type SessionEvent = "connected" | "disconnected";

/**
 * One connection to the store servers, kept for the daemon's lifetime. Opening never waits and never fails: a machine must start without
 * its store. Calls wait for the connection within their own deadline.
 */
export interface Session {
  readonly cluster: string;
  readonly machine: string;
  readonly deadlineMs: number;
  /** The newest known generation, also learned from its servers; 0: none yet. */
  generation(): number;
  /**
   * Switches to another generation's servers: running calls, followers and commands continue there. No effect for an older generation, or
   * for the present one with the same servers.
   */
  switchServers(generation: number, servers: readonly string[]): void;
  /** The live connection; waits while there is none, so that no message is lost in a buffer. */
  link(): Promise<Link>;
  /** Whether there is a live connection now. */
  connected(): boolean;
  /** How long a new call may wait: the deadline, or one second if the store has been unavailable for longer than that. */
  patienceMs(): number;
  /** Milliseconds since the connection came back; `undefined` when it never broke, or is broken. */
  sinceReconnectMs(): number | undefined;
  /** The error of the last connection attempt. */
  lastError(): unknown;
  /** The known reason why the store takes no write. */
  blocked(): PloyzError | undefined;
  /** Calls back on each change of the connection; returns a function that unsubscribes. */
  onEvent(listener: (event: SessionEvent) => void): () => void;
  /** Closes the connection for good. Running calls fail with `store_unavailable`. */
  close(): Promise<void>;
}

/** Opens a session. Never waits and never fails: calls do. */
export function openSession(options: SessionOptions): Session {
  const machine = asToken("machine", options.machine);
  const cluster = asToken("cluster", options.cluster);
  const stop = new AbortController();
  const listeners = new Set<(event: SessionEvent) => void>();
  let current: Link | undefined;
  let up = false;
  let reconnectedAt: number | undefined;
  let awaySince = performance.now();
  let attempts = 0;
  let lastError: unknown;
  let servers = [...options.servers];
  let generation = options.generation ?? 0;
  /** Servers found to have an older generation: tried after the others. */
  const outdated = new Set<string>();
  let waiters: { resolve(link: Link): void; reject(error: unknown): void }[] = [];

  const emit = (event: SessionEvent) => {
    if (up && event === "disconnected") awaySince = performance.now();
    up = event === "connected";
    if (up && current) for (const waiter of waiters.splice(0)) waiter.resolve(current);
    for (const listener of [...listeners]) listener(event);
  };

  /** Identify the server of each connection before anything is sent through it. */
  const isOlder = (nc: NatsConnection): boolean => {
    const found = generationOf(cluster, nc.info?.server_name ?? "");
    if (found !== undefined && found < generation) {
      lastError = olderGeneration(found, generation);
      outdated.add(nc.getServer());
      return true;
    }
    generation = Math.max(generation, found ?? 0);
    return false;
  };

  const watch = async (nc: NatsConnection) => {
    for await (const status of nc.status()) {
      if (status.type === "reconnect") {
        if (isOlder(nc)) {
          void nc.reconnect().catch(() => undefined);
          continue;
        }
        attempts = 0;
        reconnectedAt = performance.now();
        emit("connected");
      } else if (status.type === "disconnect") emit("disconnected");
      else if (status.type === "error") lastError = status.error;
    }
  };

  const open = async (): Promise<Link> => {
    const attemptMs = options.attemptMs ?? 1500;
    const nc = await connect({
      servers: inOrder(servers, outdated),
      noRandomize: true,
      authenticator: nkeyAuthenticator(new TextEncoder().encode(options.nkeySeed)),
      name: `ployz ${machine}`,
      inboxPrefix: inboxPrefix(machine),
      // The cluster's state names the store's servers; ignore servers that a server advertises.
      ignoreClusterUpdates: true,
      // The servers may load this machine's key only after its first attempt.
      ignoreAuthErrorAbort: true,
      maxReconnectAttempts: -1,
      reconnectDelayHandler: () => {
        // Fast after a short interruption; backs off while the store is away, or has removed this machine's key.
        attempts += 1;
        return Math.min(1000, 25 * 2 ** Math.min(attempts, 6)) * (0.5 + Math.random() / 2);
      },
      // A server that lost power closes no connection: detect it within a call's deadline, so that the call can use another server.
      pingInterval: 2000,
      maxPingOut: 3,
      timeout: 3000,
    });
    if (isOlder(nc)) {
      await nc.close();
      throw lastError;
    }
    const jsm = await jetstreamManager(nc, { checkAPI: false, timeout: attemptMs });
    return { nc, js: jetstream(nc, { timeout: attemptMs }), jsm };
  };

  const keepOpen = async () => {
    const backoff = createBackoff(100, 1000);
    while (!stop.signal.aborted) {
      try {
        const link = await open();
        if (stop.signal.aborted) {
          await link.nc.close();
          return;
        }
        current = link;
        backoff.reset();
        const watching = watch(link.nc);
        emit("connected");
        lastError = (await link.nc.closed()) ?? lastError;
        await watching;
        current = undefined;
        if (up) emit("disconnected");
      } catch (error) {
        lastError = error;
        await backoff.pause(stop.signal);
      }
    }
  };
  const running = keepOpen();
  const deadline = () => options.deadlineMs ?? (servers.length > 1 ? 15_000 : 5000);

  return {
    cluster,
    machine,
    get deadlineMs() {
      return deadline();
    },
    generation: () => generation,
    switchServers(to, addresses) {
      const same = JSON.stringify([...servers].sort()) === JSON.stringify([...addresses].sort());
      if (to < generation || (to === generation && same)) return;
      generation = to;
      servers = [...addresses];
      outdated.clear();
      const nc = current?.nc;
      if (!nc || nc.isClosed()) return;
      if (up) emit("disconnected");
      nc.setServers(servers);
      void nc.reconnect().catch(() => undefined);
    },
    connected: () => up,
    patienceMs() {
      const ms = deadline();
      return !up && performance.now() - awaySince > ms ? Math.min(ms, 1000) : ms;
    },
    sinceReconnectMs: () =>
      up && reconnectedAt !== undefined ? performance.now() - reconnectedAt : undefined,
    lastError: () => lastError,
    blocked: () => options.blocked?.(),
    link() {
      if (stop.signal.aborted) return Promise.reject(closed());
      if (current && up) return Promise.resolve(current);
      return new Promise((resolve, reject) => waiters.push({ resolve, reject }));
    },
    onEvent(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      stop.abort();
      for (const waiter of waiters.splice(0)) waiter.reject(closed());
      waiters = [];
      await current?.nc.close();
      await running;
    },
  };
}

/** Shuffled, so that clients spread over the servers; servers to avoid come last. */
function inOrder(servers: readonly string[], avoided: ReadonlySet<string>): string[] {
  return servers
    .map((server) => ({ server, rank: avoided.has(server) ? 1 : Math.random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ server }) => server);
}
