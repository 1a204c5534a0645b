import { pause } from "@ployz/exec";
import {
  type ClusterRecord,
  type FactEvent,
  isFact,
  type MachineRecord,
  type Store,
} from "@ployz/primitives/protocol";
import { storePorts } from "../config/store-ports.ts";
import type { StorePlace } from "../peers/commands.ts";
import { createWaiters } from "../waiters.ts";
import type { Membership } from "./membership.ts";

/** Follows the membership facts, and applies them to this machine's peers and store users. */
export interface MembershipFollower {
  /** The applied membership. */
  present(): Membership;
  /** The newest known membership; may not be applied yet. */
  known(): Membership;
  /** The cluster has removed this machine. */
  removed(): boolean;
  /** Resolves when everything up to this store revision is applied here; rejects when `signal` aborts. */
  reached(revision: number, signal: AbortSignal): Promise<void>;
  /** Another machine reports a newer generation of the store, on these servers. No effect if it is not newer. */
  moved(place: StorePlace): void;
  /** Ends when the signal given at the start aborts. */
  readonly ended: Promise<void>;
}

export interface FollowOptions {
  readonly store: Store;
  readonly storePort: number;
  readonly initial: Membership;
  readonly signal: AbortSignal;
  apply(membership: Membership): Promise<void>;
  log(error: unknown): void;
}

const AGAIN_MS = 1_000;

export function followMembership(options: FollowOptions): MembershipFollower {
  let present = options.initial;
  let known = options.initial;
  let heard: StorePlace = { generation: present.cluster.generation, servers: present.storeServers };
  let seen = 0;
  let applied = 0;
  let changes = 0;
  let applying: Promise<void> | undefined;
  const members = new Map<string, MachineRecord>();
  const waiters = createWaiters();
  let cluster: ClusterRecord = present.cluster;
  let synced = false;

  function take(event: FactEvent): void {
    if (event.type === "put") {
      const { entry } = event;
      if (isFact("cluster", entry)) cluster = entry.value;
      else if (isFact("machine", entry)) members.set(entry.key, entry.value);
    } else if (event.type === "unreadable") {
      // A machine whose record cannot be read keeps its last record: it is no removed machine.
      const last = known.machines.find(({ id }) => `machine.${id}` === event.key);
      if (last !== undefined && !members.has(event.key)) members.set(event.key, last);
    } else if (event.type === "delete") members.delete(event.key);
    else synced = true;
    seen = Math.max(seen, event.type === "put" ? event.entry.revision : event.revision);
    if (!synced) return;
    known = derive() ?? known;
    applyKnown();
  }

  function applyKnown(): void {
    changes += 1;
    applying ??= applyAll();
  }

  function derive(): Membership | undefined {
    const machines = [...members.values()].sort((a, b) => a.index - b.index);
    const machine = machines.find(
      (member) => member.id === present.machine.id && member.publicKey === present.machine.publicKey,
    );
    // Not (or no longer) in the facts: the last good state stays until an operation orders this machine to leave.
    if (machine === undefined) return undefined;
    // A new store has its own facts; until they arrive, use the reported servers.
    if (cluster.generation < heard.generation) return placed({ ...present, cluster, machine, machines });
    const { client } = storePorts(options.storePort, cluster.generation);
    const storeServers = machines.filter(({ store }) => store).map(({ address }) => `${address}:${client}`);
    heard = { generation: cluster.generation, servers: storeServers };
    return { ...present, cluster, machine, machines, storeServers };
  }

  const placed = (membership: Membership): Membership => ({
    ...membership,
    cluster: { ...membership.cluster, generation: heard.generation },
    storeServers: heard.servers,
  });

  /** Applies changes that arrived meanwhile together, not one by one. */
  async function applyAll(): Promise<void> {
    for (let done = -1; done < changes; ) {
      done = changes;
      const tried = seen;
      try {
        const next = known;
        await options.apply(next);
        present = next;
        applied = tried;
      } catch (error) {
        options.log(error);
      }
      waiters.look();
    }
    applying = undefined; // in the same turn as the last check of `changes`: no event is lost in between
  }

  async function run(): Promise<void> {
    while (!options.signal.aborted) {
      try {
        members.clear();
        synced = false;
        for await (const event of options.store.facts.follow("", options.signal)) take(event);
        return;
      } catch (error) {
        // Follow a store with other contents (restored, recovered) from its beginning.
        if (!options.signal.aborted) options.log(error);
        await pause(AGAIN_MS, options.signal);
      }
    }
  }

  return {
    present: () => present,
    known: () => known,
    removed() {
      const record = members.get(`machine.${present.machine.id}`);
      // Another machine may have its name by now.
      const own = record?.publicKey === present.machine.publicKey;
      return synced && (!own || record?.state === "removed");
    },
    moved(place) {
      if (place.generation <= heard.generation) return;
      heard = place;
      known = placed(known);
      applyKnown();
    },
    ended: run().then(() => applying),
    reached: (revision, signal) => waiters.until(() => applied >= revision, signal),
  };
}
