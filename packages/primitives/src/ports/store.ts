import type { Json } from "../model/json.ts";

/**
 * The store: commits, facts, leases and operation journals. `@ployz/nats-store` fills these ports over
 * JetStream and `testing` fills them in memory; both pass `testing/store-contract`.
 *
 * Every write fails with `store_unavailable` (nothing is known about the outcome), never hangs: each call is
 * bounded by the adapter's own deadline. A write whose reply was lost is settled by reading back before the
 * adapter answers, so callers see "mine was written", "another's was written" or `store_unavailable`.
 */
export interface Store {
  readonly commits: CommitLog;
  readonly facts: FactStore;
  readonly leases: LeaseStore;
  readonly journals: JournalStore;
}

/** One stored value and the store revision at which it was written (monotone over the whole store). */
export interface Entry<T> {
  readonly key: string;
  readonly value: T;
  readonly revision: number;
}

/**
 * One immutable commit per message on `commit.<namespace>`; the last one is the namespace's whole state.
 * `revision` is the stream sequence; 0 stands for "no commit yet".
 */
export interface CommitLog {
  last(namespace: string): Promise<Entry<CommitEnvelope> | undefined>;
  at(namespace: string, revision: number): Promise<Entry<CommitEnvelope> | undefined>;
  /** Newest first. */
  history(namespace: string, limit: number): Promise<readonly Entry<CommitEnvelope>[]>;
  /** The last commit of every namespace, sorted by namespace. */
  heads(): Promise<readonly Entry<CommitEnvelope>[]>;
  /**
   * Appends if the namespace's last revision is `expected` (0: none yet). Resolves with `committed: true` also when a
   * commit with the same `operation` is already the last (a retried append is one commit).
   */
  append(commit: CommitEnvelope, expected: number): Promise<AppendResult>;
  /** The heads first, then one `synced`, then every later commit. Ends when `signal` aborts. Survives reconnects. */
  follow(signal: AbortSignal): AsyncIterable<FollowEvent<CommitEnvelope>>;
}

/** What the store needs to know of a commit; the domain's own fields are carried through untouched. */
export interface CommitEnvelope {
  readonly namespace: string;
  readonly operation: string;
  readonly [field: string]: Json;
}

export type AppendResult =
  | { readonly committed: true; readonly revision: number }
  | { readonly committed: false; readonly last: Entry<CommitEnvelope> | undefined };

export type FollowEvent<T> =
  | { readonly type: "put"; readonly entry: Entry<T> }
  | { readonly type: "delete"; readonly key: string; readonly revision: number }
  | { readonly type: "synced"; readonly revision: number };

export type WriteResult =
  | { readonly ok: true; readonly revision: number }
  | { readonly ok: false; readonly current: Entry<Json> | undefined };

/** Membership and other intent under CAS. Keys are dot-separated tokens: `machine.m2`, `subnet.7`, `cluster`. */
export interface FactStore {
  get(key: string): Promise<Entry<Json> | undefined>;
  /** Every fact whose key is `prefix` or starts with `prefix.`; all facts when the prefix is empty. Sorted by key. */
  list(prefix: string): Promise<readonly Entry<Json>[]>;
  /** Writes if the present revision is `expected` (0: must not exist). Writing an equal value at the same expectation twice is `ok`. */
  put(key: string, value: Json, expected: number): Promise<WriteResult>;
  /** Removes if the present revision is `expected`. `ok` when it is already gone. */
  remove(key: string, expected: number): Promise<WriteResult>;
  /**
   * Present facts under the prefix first, then one `synced`, then changes. What goes after it was told is told as a `delete`,
   * also before `synced`. Ends when `signal` aborts. Survives reconnects.
   */
  follow(prefix: string, signal: AbortSignal): AsyncIterable<FollowEvent<Json>>;
}

export interface LeaseHolder {
  readonly operation: string;
  /** The machine whose daemon runs the operation. */
  readonly machine: string;
}

/**
 * `fence` is the store revision at which the lease was won: it never changes while the lease is renewed, and every later
 * holder of the scope has a higher one.
 */
export interface Lease {
  readonly scope: string;
  readonly holder: LeaseHolder;
  readonly fence: number;
  /** Present revision of the entry: what renew, release and takeover compare. */
  readonly revision: number;
}

export type AcquireResult =
  | { readonly acquired: true; readonly lease: Lease }
  | { readonly acquired: false; readonly held: Lease };

export interface LeaseStore {
  /** Wins a free or expired scope; resolves as acquired when the same holder has it already. `ttlMs` is rounded up to whole seconds. */
  acquire(scope: string, holder: LeaseHolder, ttlMs: number): Promise<AcquireResult>;
  /** Extends by the lease's own TTL; `undefined` when it was lost. */
  renew(lease: Lease): Promise<Lease | undefined>;
  /** Frees the scope if `lease` is still what stands there; anything else is left alone. */
  release(lease: Lease): Promise<void>;
  get(scope: string): Promise<Lease | undefined>;
  list(): Promise<readonly Lease[]>;
  /** Resolves when the scope is free (released or expired), or when `signal` aborts. */
  whenFree(scope: string, signal: AbortSignal): Promise<void>;
}

/** An operation's journal: an append-only list of entries, with one writer at a time enforced by the expected length. */
export interface JournalStore {
  /** All entries in order; empty when there is no such operation. */
  read(operation: string): Promise<readonly Json[]>;
  /** Appends as entry number `index` (0-based). `false`: somebody else has written that entry; a retry of the same entry is `true`. */
  append(operation: string, index: number, entry: Json): Promise<boolean>;
  /** Existing entries from `from`, then new ones as they come. Ends when `signal` aborts. */
  follow(operation: string, from: number, signal: AbortSignal): AsyncIterable<Json>;
  /** Summary documents for listing, one per operation, newest operation id (ULID) first. */
  summaries(limit: number): Promise<readonly Entry<Json>[]>;
  summary(operation: string): Promise<Entry<Json> | undefined>;
  /** Last writer wins, bounded by the journal's own CAS: a summary is a fold of the journal, kept for listing. */
  putSummary(operation: string, summary: Json): Promise<void>;
}
