import { unwatchFile, watchFile } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createBackoff } from "@ployz/exec";
import { openStore } from "@ployz/nats-store";
import type {
  CandidateInstance,
  Candidates,
  ClusterRecord,
  GatewayView,
  MachineRecord,
} from "@ployz/primitives/protocol";
import type { Logger } from "pino";
import type { Config } from "../config/load.ts";
import { PloyzError } from "../error-codes.ts";
import { serveApplied, trackApplied } from "../host/follower-socket.ts";
import { ensureIdentity } from "../mesh/identity.ts";
import { type Membership, readMembership } from "../mesh/membership.ts";
import { type Paths, pathsOf } from "../state/paths.ts";
import { mirrorRecords } from "../state/records.ts";
import { readRuns } from "../state/runs.ts";
import { createWaiters } from "../waiters.ts";
import type { Head } from "./project.ts";

export interface FollowerDeps {
  readonly config: Config;
  readonly paths: Paths;
  readonly membership: Membership;
  readonly log: Logger;
}

/** An instance of this machine that no commit knows. */
export interface Guest {
  readonly namespace: string;
  readonly service: string;
  readonly address: string;
  readonly machine: string;
}

/** The store's state, as far as a follower needs it. */
export interface Followed {
  readonly heads: readonly Head[];
  readonly machines: readonly MachineRecord[];
  readonly candidates: ReadonlyMap<string, Candidates>;
  /** One-off instances of this machine. */
  readonly guests: readonly Guest[];
  /** Instances that run by themselves, by namespace. */
  readonly running: ReadonlyMap<string, readonly CandidateInstance[]>;
  /** Namespaces are apart. */
  readonly isolated: boolean;
}

/** By the store's record; before it was read, by the machine's own: a lost mirror must not open the overlay. */
export const isIsolated = (
  stored: Pick<ClusterRecord, "isolation"> | undefined,
  joined: Pick<ClusterRecord, "isolation">,
): boolean => (stored ?? joined).isolation === "on";

/** A server of the last commits: HAProxy or DNS. */
export interface Served {
  /** Serves these from now on; resolves when it does. Called one at a time, always with the newest. */
  apply(followed: Followed): Promise<void>;
  /** How long, in ms, clients may still use a namespace's previous answers; absent: not at all. */
  staleMs?(namespace: string): number;
  /** Holds requests for a service while it has no live instance; false when it has no route here. */
  hold?(namespace: string, service: string, ms: number): Promise<boolean>;
  /** Serves the certificates on this machine's disk. */
  certify?(): Promise<void>;
  /** What a gateway serves now. */
  show?(): Promise<GatewayView>;
  /** Serves the users of routes on this machine's disk. */
  users?(): Promise<void>;
  challenge?(
    order: string,
    answers: Readonly<Record<string, string>>,
    proofs: Readonly<Record<string, string>>,
  ): Promise<void>;
  status(): object;
  /** What only a look at the machine tells. */
  live?(): Promise<object>;
  close(): Promise<void>;
}

/**
 * Follows the commits, from the last good state on disk and then from the store, for the life of the process. It needs neither the daemon
 * nor, once it has a state, the store.
 */
export async function runFollower(
  name: "gateway" | "dns",
  config: Config,
  log: Logger,
  open: (deps: FollowerDeps) => Promise<Served>,
): Promise<() => Promise<void>> {
  const paths = pathsOf(config);
  const membership = await readMembership(paths.membership);
  if (membership === undefined) {
    throw new PloyzError({
      code: "not_a_member",
      message: "this machine is in no cluster",
      hint: "create one: ployzctl mesh init NAME",
    });
  }
  const joined = membership.cluster;
  const self = membership.machine.id;
  const { nkeySeed } = await ensureIdentity(paths);
  await mkdir(paths.mirror, { recursive: true, mode: 0o700 });
  const store = openStore({
    servers: membership.storeServers,
    nkeySeed,
    cluster: membership.cluster.id,
    machine: membership.machine.id,
    generation: membership.cluster.generation,
  });
  const forget = followPlace(paths.membership, store.session.switchServers);
  const mirror = await mirrorRecords({
    dir: join(paths.mirror, name),
    store,
    onError: (error) => log.warn({ err: error }, "mirror"),
  });
  const served = await open({ config, paths, membership, log });
  const applied = trackApplied();

  let wanted = 1;
  let done = 0;
  /** The last round that is served. */
  let good = 0;
  const looking = createWaiters();
  let working: Promise<void> | undefined;
  const stop = new AbortController();
  const backoff = createBackoff(1_000, 10_000);
  async function catchUp(): Promise<void> {
    while (done < wanted) {
      const round = wanted;
      const heads = mirror.heads().map(({ revision, value }) => ({ revision, commit: value }));
      try {
        const machines = mirror.facts("machine").map(({ value }) => value);
        const [cluster] = mirror.facts("cluster");
        const candidates = mirror.facts("candidates");
        const runs = await readRuns(paths.runs);
        const guests = runs.map((run) => ({ ...run, machine: self }));
        const running = mirror.facts("running");
        await served.apply({
          ...{ heads, machines, guests, isolated: isIsolated(cluster?.value, joined) },
          candidates: new Map(candidates.map(({ key, value }) => [key.slice("candidates.".length), value])),
          running: byNamespace(running),
        });
        applied.set(
          new Map([
            ...heads.map(({ commit, revision }) => [commit.namespace, revision] as const),
            ...[...candidates, ...running].map(({ key, revision }) => [key, revision] as const),
          ]),
        );
        log.info(
          { heads: heads.map(({ commit, revision }) => `${commit.namespace}@${revision}`) },
          "serving",
        );
      } catch (error) {
        log.error({ err: error }, "cannot serve the new state; still serving the last good one");
        // A full disk, for one, needs no further change of the state to be over.
        retry();
        done = round;
        continue;
      }
      backoff.reset();
      done = round;
      good = round;
      looking.look();
    }
  }
  const retry = () =>
    void backoff.pause(stop.signal).then(() => {
      if (stop.signal.aborted) return;
      wanted += 1;
      kick();
    });
  const kick = () => {
    working ??= catchUp().finally(() => {
      working = undefined;
      if (done < wanted) kick();
    });
  };
  const look = (signal: AbortSignal): Promise<void> => {
    const round = ++wanted;
    kick();
    return looking.until(() => good >= round, signal);
  };
  mirror.onChange((change) => {
    if (change.type === "applied") return;
    wanted += 1;
    kick();
  });
  kick();
  await working;
  const closeSocket = await serveApplied(
    name === "gateway" ? paths.gatewaySocket : paths.dnsSocket,
    applied,
    { ...served, look },
  );
  return async () => {
    forget();
    stop.abort();
    await closeSocket();
    await mirror.close();
    await store.close();
    await served.close();
  };
}

/** The key is `running.<namespace>.<job>`. */
function byNamespace(
  running: readonly { readonly key: string; readonly value: Candidates }[],
): Followed["running"] {
  const found = new Map<string, readonly CandidateInstance[]>();
  for (const { key, value } of running) {
    const [, namespace = ""] = key.split(".");
    found.set(namespace, [...(found.get(namespace) ?? []), ...value.instances]);
  }
  return found;
}

/** The daemon writes the store's new servers to a file. Polled: not every file system reports a rename. */
function followPlace(
  path: string,
  moved: (generation: number, servers: readonly string[]) => void,
): () => void {
  const look = () => {
    readMembership(path).then(
      (now) => now && moved(now.cluster.generation, now.storeServers),
      () => {}, // it was just removed: this machine is leaving
    );
  };
  watchFile(path, { interval: LOOK_MS }, look);
  return () => unwatchFile(path, look);
}

const LOOK_MS = 1_000;
