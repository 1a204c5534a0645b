import type { Commit } from "../model/commit.ts";
import type { FactKey, FactName, FactOf, FactTypes } from "../model/facts.ts";
import type { JournalEntry } from "../model/journal.ts";
import type { Json } from "../model/json.ts";
import type { OperationSummary } from "../model/operation.ts";

/**
 * The store: commits, facts, leases and operation journals. `@ployz/nats-store` fills `RawStore` over
 * JetStream and `testing` fills it in memory; `checkedStore` makes either a `Store`, and both pass `testing/store-contract`.
 *
 * A record that does not match its key (see `FACTS` and `Commit`) is skipped by every call that reads many, and reported; a call
 * that reads that very record fails with `record_unreadable`.
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
export interface Entry<T, K extends string = string> {
  readonly key: K;
  readonly value: T;
  readonly revision: number;
}

/**
 * One immutable commit per message on `commit.<namespace>`; the last one is the namespace's whole state.
 * `revision` is the stream sequence; 0 stands for "no commit yet".
 */
export interface CommitLog<T = Commit> {
  /** @throws PloyzError `record_unreadable` when the last one cannot be read. */
  last(namespace: string): Promise<Entry<T> | undefined>;
  /** The commit of a namespace at a revision. */
  at(namespace: string, revision: number): Promise<Entry<T> | undefined>;
  /** Newest first. */
  history(namespace: string, limit: number): Promise<readonly Entry<T>[]>;
  /** The last readable commit of every namespace, sorted by namespace. */
  heads(): Promise<readonly Entry<T>[]>;
  /**
   * Appends if the namespace's last revision is `expected` (0: none yet). Resolves with `committed: true` also when a
   * commit with the same `operation` is already the last (a retried append is one commit).
   */
  append(commit: Commit, expected: number): Promise<AppendResult>;
  /** The heads first, then one `synced`, then every later commit. Ends when `signal` aborts. Survives reconnects. */
  follow(signal: AbortSignal): AsyncIterable<FollowEvent<Entry<T>>>;
}

/** The revision, or that another commit came first. */
export type AppendResult =
  | { readonly committed: true; readonly revision: number }
  /** What stands there instead, unchecked. */
  | { readonly committed: false; readonly last: Entry<Json> | undefined };

/** A change that a follower sees; `synced` once it has seen all that stood. */
export type FollowEvent<E> =
  | { readonly type: "put"; readonly entry: E }
  | { readonly type: "delete"; readonly key: string; readonly revision: number }
  | { readonly type: "synced"; readonly revision: number };

/** The revision, or that it changed before. */
export type WriteResult<E> =
  | { readonly ok: true; readonly revision: number }
  | { readonly ok: false; readonly current: E | undefined };

/** Whether it was removed, or changed before. */
export type RemoveResult = { readonly ok: true; readonly revision: number } | { readonly ok: false };

/** One fact of the given name, with its value's type. */
export type Fact<P extends FactName = FactName> = { [N in P]: Entry<FactTypes[N], FactKey<N>> }[P];

/** `unreadable`: a fact stands under the key that cannot be read; its last value stays in effect. */
export type FactEvent =
  | FollowEvent<Fact>
  | { readonly type: "unreadable"; readonly key: string; readonly revision: number };

/** Membership and other intent under CAS. Keys are dot-separated tokens: `machine.m2`, `subnet.7`, `cluster`. */
export interface FactStore {
  /** @throws PloyzError `record_unreadable`. */
  get<K extends FactKey>(key: K): Promise<Entry<FactOf<K>, K> | undefined>;
  /** Every fact whose key is `name` or starts with `name.`; all facts when it is empty. Sorted by key. */
  list<P extends FactName>(name: P): Promise<readonly Fact<P>[]>;
  /** Every fact. */
  list(name: ""): Promise<readonly Fact[]>;
  /** Writes if the present revision is `expected` (0: must not exist). Writing an equal value at the same expectation twice is `ok`. */
  put<K extends FactKey>(
    key: K,
    value: FactOf<K>,
    expected: number,
  ): Promise<WriteResult<Entry<FactOf<K>, K>>>;
  /** Removes if the present revision is `expected`. `ok` when it is already gone. */
  remove(key: FactKey, expected: number): Promise<RemoveResult>;
  /**
   * Present facts of the name first, then one `synced`, then changes. A deletion after the report is a `delete`,
   * also before `synced`. Ends when `signal` aborts. Survives reconnects.
   */
  follow(name: FactName | "", signal: AbortSignal): AsyncIterable<FactEvent>;
}

/** Who holds a lease. */
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

/** The lease, or who holds it. */
export type AcquireResult =
  | { readonly acquired: true; readonly lease: Lease }
  | { readonly acquired: false; readonly held: Lease };

/** Leases with a TTL; their revision is the fence. */
export interface LeaseStore {
  /** Wins a free or expired scope; resolves as acquired when the same holder has it already. `ttlMs` is rounded up to whole seconds. */
  acquire(scope: string, holder: LeaseHolder, ttlMs: number): Promise<AcquireResult>;
  /** Extends by the lease's own TTL; `undefined` when it was lost. */
  renew(lease: Lease): Promise<Lease | undefined>;
  /** Frees the scope if `lease` is still what stands there; anything else is left alone. */
  release(lease: Lease): Promise<void>;
  /** The present lease of a scope. */
  get(scope: string): Promise<Lease | undefined>;
  /** Every present lease. */
  list(): Promise<readonly Lease[]>;
  /** Resolves when the scope is free (released or expired), or when `signal` aborts. */
  whenFree(scope: string, signal: AbortSignal): Promise<void>;
}

/** An operation's journal: an append-only list of entries, with one writer at a time enforced by the expected length. */
export interface JournalStore<E = JournalEntry, S = OperationSummary> {
  /** All entries in order; empty when there is no such operation. */
  read(operation: string): Promise<readonly E[]>;
  /** Appends as entry number `index` (0-based). `false`: another coordinator has written that entry; a retry of the same entry is `true`. */
  append(operation: string, index: number, entry: E): Promise<boolean>;
  /** Existing entries from `from`, then new ones as they come. Ends when `signal` aborts. */
  follow(operation: string, from: number, signal: AbortSignal): AsyncIterable<E>;
  /** Every summary that is written from now on, of any machine's operations. Ends when `signal` aborts. Survives reconnects. */
  changes(signal: AbortSignal): AsyncIterable<Entry<S>>;
  /**
   * Summary documents for listing, one per operation, newest operation id (ULID) first. `limit` counts those for which `isEnded` is false:
   * one that has ended never changes, and is read once.
   */
  summaries(limit: number, isEnded?: (summary: S) => boolean): Promise<readonly Entry<S>[]>;
  /** The summary of one operation. */
  summary(operation: string): Promise<Entry<S> | undefined>;
  /** Last writer wins, bounded by the journal's own CAS: a summary is a fold of the journal, kept for listing. */
  putSummary(operation: string, summary: S): Promise<void>;
}

/** A store as it is on the wire: any JSON under any key, unchecked. */
export interface RawStore {
  readonly commits: CommitLog<Json>;
  readonly facts: RawFacts;
  readonly leases: LeaseStore;
  readonly journals: JournalStore<Json, Json>;
}

/** The calls of `FactStore`, on unchecked JSON. */
export interface RawFacts {
  /** The present value with its revision. */
  get(key: string): Promise<Entry<Json> | undefined>;
  /** All that begin with this. */
  list(prefix: string): Promise<readonly Entry<Json>[]>;
  /** Writes if the revision is the expected one; 0: it must not exist. */
  put(key: string, value: Json, expected: number): Promise<WriteResult<Entry<Json>>>;
  /** Removes if the revision is the expected one. */
  remove(key: string, expected: number): Promise<RemoveResult>;
  /** Every entry, then every change. */
  follow(prefix: string, signal: AbortSignal): AsyncIterable<FollowEvent<Entry<Json>>>;
}
