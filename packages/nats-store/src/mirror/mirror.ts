import type { NatsStore } from "../client/store.ts";
import type { Entry } from "../client/types.ts";
import type { Json } from "../json.ts";
import { type Check, type Fault, loadMirror, mirrorWriter } from "./disk.ts";
import { track } from "./track.ts";

/** A change of the mirror. */
export type MirrorChange =
  | { readonly type: "head"; readonly entry: Entry<Json> }
  /** The store was restored from a time before this namespace. */
  | { readonly type: "head-gone"; readonly namespace: string }
  | { readonly type: "fact"; readonly key: string; readonly entry: Entry<Json> | undefined }
  /** The mirror has everything up to these revisions. */
  | { readonly type: "applied"; readonly commits: number; readonly facts: number };

/** A record of the store that `check` refused. The mirror keeps the previous record under that key, if any. */
export interface Skipped extends Fault {
  readonly what: "commit" | "fact";
  readonly key: string;
  readonly revision: number;
}

/**
 * A machine's local copy of the store's state, available during a store outage and after a reboot. `C` is the type of a commit, `F`
 * maps the first word of a fact's key to its type; `check` enforces both.
 */
export interface Mirror<C = Json, F extends object = Record<string, Json>> {
  /** The last good commit of every namespace. */
  heads(): readonly Entry<C>[];
  /** Facts whose key is `prefix` or below it; all when empty. Sorted by key. */
  facts<P extends keyof F & string>(prefix: P): readonly Entry<F[P]>[];
  /** Records that stand in the store and cannot be read. */
  skipped(): readonly Skipped[];
  /** Revisions up to which the mirror is complete. */
  applied(): { readonly commits: number; readonly facts: number };
  /** Calls back after each change; returns a function that unsubscribes. */
  onChange(listener: (change: MirrorChange) => void): () => void;
  /** Resolves when the mirror first catches up with the store. */
  synced(): Promise<void>;
  /** Resolves when all applied changes are on disk. */
  flushed(): Promise<void>;
  /** Resolves when a namespace's head of `revision` or later is on disk; rejects when `signal` aborts. */
  durable(namespace: string, revision: number, signal: AbortSignal): Promise<void>;
  /** Stops following, and writes pending changes. */
  close(): Promise<void>;
}

/** Folder, store and check of a mirror. */
export interface MirrorOptions {
  readonly dir: string;
  /** Absent: use only the state on disk. */
  readonly store?: NatsStore;
  /** Default: every record is good. */
  readonly check?: Check;
  /** Gets errors of following and writing, after which the mirror continues. */
  readonly onError?: (error: unknown) => void;
}

/** How many commits before one that cannot be read are looked through for one that can. */
const LOOK_BACK = 100;

/**
 * Reads the last good state from disk and, given a store, follows it. A store with less data than the mirror (a lost or an older one)
 * changes nothing: the mirror reports `store_behind_mirror` and stays usable for recovery. A record that `check` refuses replaces
 * nothing: the mirror keeps the last good one, or reads it from the earlier commits.
 */
export async function openMirror<C = Json, F extends object = Record<string, Json>>(
  options: MirrorOptions,
): Promise<Mirror<C, F>> {
  const report = options.onError ?? (() => undefined);
  const check = options.check ?? (() => undefined);
  const state = await loadMirror(options.dir, report, check);
  const skipped = new Map<string, Skipped>();
  const listeners = new Set<(change: MirrorChange) => void>();
  const stop = new AbortController();
  const writer = mirrorWriter(options.dir, state, { onError: report, end: stop.signal });
  const tell = (change: MirrorChange) => {
    for (const listener of [...listeners]) listener(change);
  };
  const applied = () => ({ commits: state.commits, facts: state.factsRevision });

  /** Whether the record can be read; notes it when it cannot. */
  const isGood = (what: Skipped["what"], { key, value, revision }: Entry<Json>): boolean => {
    const fault = check(what, key, value);
    if (fault === undefined) skipped.delete(`${what}.${key}`);
    else skipped.set(`${what}.${key}`, { what, key, revision, ...fault });
    return fault === undefined;
  };
  const setHead = (entry: Entry<Json>) => {
    if (state.heads.get(entry.key)?.revision === entry.revision) return;
    state.heads.set(entry.key, entry);
    state.commits = Math.max(state.commits, entry.revision);
    writer.headChanged(entry.key);
    tell({ type: "head", entry });
  };
  const dropHead = (namespace: string) => {
    skipped.delete(`commit.${namespace}`);
    if (!state.heads.delete(namespace)) return;
    writer.headChanged(namespace);
    tell({ type: "head-gone", namespace });
  };
  const setFact = (key: string, entry: Entry<Json> | undefined) => {
    if (entry === undefined) skipped.delete(`fact.${key}`);
    if (state.facts.get(key)?.revision === entry?.revision) return;
    if (entry) state.facts.set(key, entry);
    else state.facts.delete(key);
    writer.factsChanged();
    tell({ type: "fact", key, entry });
  };
  const lastGood = async ({ commits }: NatsStore, namespace: string) =>
    (await commits.history(namespace, LOOK_BACK)).find(
      ({ key, value }) => check("commit", key, value) === undefined,
    );

  const announce = () => tell({ type: "applied", ...applied() });

  const follow = (store: NatsStore) => [
    track<Json>(
      "commits",
      {
        follow: (signal) => store.commits.follow(signal),
        have: () => state.commits,
        async put(entry) {
          const head = isGood("commit", entry) ? entry : await lastGood(store, entry.key);
          if (head) setHead(head);
        },
        // Commits are never removed (removing a namespace is a commit too), but a backup may be older than the mirror.
        remove: dropHead,
        keys: () => [...state.heads.keys()],
        at(revision) {
          state.commits = Math.max(state.commits, revision);
          announce();
        },
      },
      stop.signal,
      report,
    ),
    track<Json>(
      "facts",
      {
        follow: (signal) => store.facts.follow("", signal),
        have: () => state.factsRevision,
        async put(entry) {
          if (isGood("fact", entry)) setFact(entry.key, entry);
        },
        remove: (key) => setFact(key, undefined),
        keys: () => [...state.facts.keys()],
        at(revision) {
          if (revision > state.factsRevision) writer.factsChanged();
          state.factsRevision = Math.max(state.factsRevision, revision);
          announce();
        },
      },
      stop.signal,
      report,
    ),
  ];
  const tracks = options.store ? follow(options.store) : [];
  const synced = Promise.all(tracks.map((one) => one.synced)).then(() => undefined);

  const under = (key: string, prefix: string) =>
    prefix === "" || key === prefix || key.startsWith(`${prefix}.`);
  const byKey = (a: { readonly key: string }, b: { readonly key: string }) => (a.key < b.key ? -1 : 1);
  return {
    // `check` has seen each of them.
    heads: () => [...state.heads.values()].sort(byKey) as Entry<C & Json>[],
    facts: <P extends keyof F & string>(prefix: P) =>
      [...state.facts.values()].filter((entry) => under(entry.key, prefix)).sort(byKey) as Entry<
        F[P] & Json
      >[],
    skipped: () => [...skipped.values()],
    applied,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    synced: () => synced,
    flushed: () => writer.flushed(),
    durable: writer.durable,
    async close() {
      stop.abort();
      await Promise.all(tracks.map((one) => one.ended));
      await writer.flushed();
    },
  };
}
