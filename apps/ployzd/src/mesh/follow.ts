import type { ClusterRecord, FollowEvent, Json, MachineRecord, Store } from "@ployz/primitives";
import type { Membership } from "./membership.ts";

/** Follows the membership facts, so that peers and store users of this machine are what the cluster agreed on. */
export interface MembershipFollower {
  /** What is in effect here. */
  present(): Membership;
  /** The newest that this machine has heard; it may not be in effect yet. */
  known(): Membership;
  /** The cluster says that this machine is a member no more. */
  removed(): boolean;
  /** Resolves when everything up to this store revision is applied here; rejects when `signal` aborts. */
  reached(revision: number, signal: AbortSignal): Promise<void>;
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

export function followMembership(options: FollowOptions): MembershipFollower {
  let present = options.initial;
  let known = options.initial;
  let seen = 0;
  let applied = 0;
  let applying: Promise<void> | undefined;
  const members = new Map<string, MachineRecord>();
  const waiting = new Set<() => void>();
  let cluster: ClusterRecord = present.cluster;
  let synced = false;

  function take(event: FollowEvent<Json>): void {
    if (event.type === "put") {
      if (event.entry.key === "cluster") cluster = event.entry.value as unknown as ClusterRecord;
      else if (event.entry.key.startsWith("machine."))
        members.set(event.entry.key, event.entry.value as unknown as MachineRecord);
    } else if (event.type === "delete") members.delete(event.key);
    else synced = true;
    seen = Math.max(seen, event.type === "put" ? event.entry.revision : event.revision);
    if (!synced) return;
    known = derive() ?? known;
    applying ??= applyAll();
  }

  function derive(): Membership | undefined {
    const machines = [...members.values()].sort((a, b) => a.index - b.index);
    const machine = machines.find(
      (member) => member.id === present.machine.id && member.publicKey === present.machine.publicKey,
    );
    // Not (or no longer) in the facts: the last good state stays until an operation tells this machine to leave.
    if (machine === undefined) return undefined;
    const storeServers = machines
      .filter((member) => member.store)
      .map((member) => `${member.address}:${options.storePort}`);
    return { v: 1, cluster, machine, machines, storeServers };
  }

  /** What came while it was at work is brought into effect at once, not event by event. */
  async function applyAll(): Promise<void> {
    for (let tried = -1; tried < seen; ) {
      tried = seen;
      try {
        const next = known;
        await options.apply(next);
        present = next;
        applied = tried;
      } catch (error) {
        options.log(error);
      }
      for (const look of [...waiting]) look();
    }
    applying = undefined; // in the same turn as the last look at `seen`: no event falls between
  }

  async function run(): Promise<void> {
    for await (const event of options.store.facts.follow("", options.signal)) take(event);
  }

  return {
    present: () => present,
    known: () => known,
    removed() {
      const record = members.get(`machine.${present.machine.id}`);
      // Under its name there may be another by now.
      const own = record?.publicKey === present.machine.publicKey;
      return synced && (!own || record?.state === "removed");
    },
    ended: run()
      .catch((error: unknown) => {
        if (!options.signal.aborted) options.log(error);
      })
      .then(() => applying),
    reached: (revision, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason); // its event has been and gone
        const end = () => {
          waiting.delete(look);
          signal.removeEventListener("abort", abort);
        };
        const look = () => {
          if (applied < revision) return;
          end();
          resolve();
        };
        const abort = () => {
          end();
          reject(signal.reason);
        };
        waiting.add(look);
        signal.addEventListener("abort", abort, { once: true });
        look();
      }),
  };
}
