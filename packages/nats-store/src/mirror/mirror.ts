import type { NatsStore } from "../client/store.ts";
import type { CommitEnvelope, Entry } from "../client/types.ts";
import type { Json } from "../json.ts";
import { loadMirror, mirrorWriter } from "./disk.ts";
import { track } from "./track.ts";

export type MirrorChange =
  | { readonly type: "head"; readonly entry: Entry<CommitEnvelope> }
  /** The store was restored from a time before this namespace. */
  | { readonly type: "head-gone"; readonly namespace: string }
  | { readonly type: "fact"; readonly key: string; readonly entry: Entry<Json> | undefined }
  /** The mirror has everything up to these revisions. */
  | { readonly type: "applied"; readonly commits: number; readonly facts: number };

/** A machine's local copy of the store's state, available during a store outage and after a reboot. */
export interface Mirror {
  heads(): readonly Entry<CommitEnvelope>[];
  /** Facts whose key is `prefix` or below it; all when empty. Sorted by key. */
  facts(prefix: string): readonly Entry<Json>[];
  applied(): { readonly commits: number; readonly facts: number };
  onChange(listener: (change: MirrorChange) => void): () => void;
  /** Resolves when the mirror first catches up with the store. */
  synced(): Promise<void>;
  /** Resolves when all applied changes are on disk. */
  flushed(): Promise<void>;
  close(): Promise<void>;
}

export interface MirrorOptions {
  readonly dir: string;
  /** Absent: use only the state on disk. */
  readonly store?: NatsStore;
  readonly onError?: (error: unknown) => void;
}

/**
 * Reads the last good state from disk and, given a store, follows it. A store with less data than the mirror (a lost or an older one)
 * changes nothing: the mirror reports `store_behind_mirror` and stays usable for recovery.
 */
export async function openMirror(options: MirrorOptions): Promise<Mirror> {
  const report = options.onError ?? (() => undefined);
  const state = await loadMirror(options.dir, report);
  const writer = mirrorWriter(options.dir, state, report);
  const listeners = new Set<(change: MirrorChange) => void>();
  const stop = new AbortController();
  const tell = (change: MirrorChange) => {
    for (const listener of [...listeners]) listener(change);
  };
  const applied = () => ({ commits: state.commits, facts: state.factsRevision });

  const setHead = (entry: Entry<CommitEnvelope>) => {
    if (state.heads.get(entry.key)?.revision === entry.revision) return;
    state.heads.set(entry.key, entry);
    state.commits = Math.max(state.commits, entry.revision);
    writer.headChanged(entry.key);
    tell({ type: "head", entry });
  };
  const dropHead = (namespace: string) => {
    if (!state.heads.delete(namespace)) return;
    writer.headChanged(namespace);
    tell({ type: "head-gone", namespace });
  };
  const setFact = (key: string, entry: Entry<Json> | undefined) => {
    if (state.facts.get(key)?.revision === entry?.revision) return;
    if (entry) state.facts.set(key, entry);
    else state.facts.delete(key);
    writer.factsChanged();
    tell({ type: "fact", key, entry });
  };

  const announce = () => tell({ type: "applied", ...applied() });

  const follow = ({ commits, facts }: NatsStore) => [
    track<CommitEnvelope>(
      "commits",
      {
        follow: (signal) => commits.follow(signal),
        have: () => state.commits,
        put: setHead,
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
        follow: (signal) => facts.follow("", signal),
        have: () => state.factsRevision,
        put: (entry) => setFact(entry.key, entry),
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
    heads: () => [...state.heads.values()].sort(byKey),
    facts: (prefix) => [...state.facts.values()].filter((entry) => under(entry.key, prefix)).sort(byKey),
    applied,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    synced: () => synced,
    flushed: () => writer.flushed(),
    async close() {
      stop.abort();
      await Promise.all(tracks.map((one) => one.ended));
      await writer.flushed();
    },
  };
}
