import { canonical } from "../engine/canonical.ts";
import type { Clock } from "../engine/clock.ts";
import type { Commit } from "../model/commit.ts";
import type { Json } from "../model/json.ts";
import type {
  CommitLog,
  Entry,
  FollowEvent,
  JournalStore,
  RawFacts,
  RawStore,
  Store,
} from "../ports/store.ts";
import { checkedStore } from "../records/store.ts";
import { copy } from "./copy.ts";
import { createFeed, type Feed } from "./feed.ts";
import { createMemoryLeases } from "./memory-leases.ts";

const same = (a: Json, b: Json) => canonical(a) === canonical(b);
/** As NATS has it: no empty token, no wildcard. */
const NAME = /^[A-Za-z0-9_=:/-]+(\.[A-Za-z0-9_=:/-]+)*$/;
function named(name: string): string {
  if (!NAME.test(name)) throw new Error(`${JSON.stringify(name)} is not a valid name in the store`);
  return name;
}

/** The store's contract in memory, with lease TTLs on the given clock. Fault injection is the harness's: see `interpose`. */
export function createMemoryStore(options: { readonly clock: Clock }): Store {
  return checkedStore(createRawStore(options));
}

/** The same before anything is checked: what another version or a broken client writes goes in here. */
export function createRawStore(options: {
  readonly clock: Clock;
}): RawStore & { readonly commits: MemoryCommits } {
  let revision = 0;
  const next = () => ++revision;
  return {
    commits: createCommits(next),
    facts: createFacts(next),
    leases: createMemoryLeases(options.clock, next),
    journals: createJournals(next),
  };
}

export type MemoryCommits = CommitLog<Json> & {
  /** Appends any value, as a broken or a newer client may. */
  publish(namespace: string, value: Json): number;
};

function createCommits(next: () => number): MemoryCommits {
  const logs = new Map<string, Entry<Json>[]>();
  const feed = createFeed<FollowEvent<Entry<Json>>>();
  const heads = () =>
    [...logs.keys()].sort().flatMap((namespace) => {
      const last = logs.get(namespace)?.at(-1);
      return last === undefined ? [] : [last];
    });
  const publish = (namespace: string, value: Json) => {
    const entry = { key: namespace, value: copy(value), revision: next() };
    logs.set(namespace, [...(logs.get(namespace) ?? []), entry]);
    feed.publish({ type: "put", entry: copy(entry) });
    return entry.revision;
  };
  return {
    publish,
    last: async (namespace) => copy(logs.get(named(namespace))?.at(-1)),
    at: async (namespace, revision) =>
      copy(logs.get(namespace)?.find((entry) => entry.revision === revision)),
    history: async (namespace, limit) => copy([...(logs.get(namespace) ?? [])].reverse().slice(0, limit)),
    heads: async () => copy(heads()),
    async append(commit, expected) {
      const last = logs.get(commit.namespace)?.at(-1);
      const { operation } = (last?.value ?? {}) as Partial<Commit>;
      if (last !== undefined && operation === commit.operation)
        return { committed: true, revision: last.revision };
      if ((last?.revision ?? 0) !== expected) return { committed: false, last: copy(last) };
      return { committed: true, revision: publish(commit.namespace, commit) };
    },
    follow: (signal) => follow(heads(), feed, signal),
  };
}

function createFacts(next: () => number): RawFacts {
  const facts = new Map<string, Entry<Json>>();
  /** Old value, new value and expectation: recognises a put that is sent twice. */
  const puts = new Map<string, number>();
  const feed = createFeed<FollowEvent<Entry<Json>>>();
  const under = (prefix: string, key: string) =>
    prefix === "" || key === prefix || key.startsWith(`${prefix}.`);
  const list = (prefix: string) =>
    [...facts.values()].filter(({ key }) => under(prefix, key)).sort((a, b) => (a.key < b.key ? -1 : 1));
  return {
    get: async (key) => copy(facts.get(named(key))),
    list: async (prefix) => copy(list(prefix)),
    async put(key, value, expected) {
      const current = facts.get(named(key));
      if ((current?.revision ?? 0) !== expected) {
        const again = current !== undefined && puts.get(key) === expected && same(current.value, value);
        return again ? { ok: true, revision: current.revision } : { ok: false, current: copy(current) };
      }
      const entry = { key, value: copy(value), revision: next() };
      facts.set(key, entry);
      puts.set(key, expected);
      feed.publish({ type: "put", entry: copy(entry) });
      return { ok: true, revision: entry.revision };
    },
    async remove(key, expected) {
      const current = facts.get(key);
      if (current === undefined) return { ok: true, revision: expected };
      if (current.revision !== expected) return { ok: false, current: copy(current) };
      facts.delete(key);
      const revision = next();
      feed.publish({ type: "delete", key, revision });
      return { ok: true, revision };
    },
    async *follow(prefix, signal) {
      for await (const event of follow(list(prefix), feed, signal)) {
        const key = event.type === "put" ? event.entry.key : event.type === "delete" ? event.key : undefined;
        if (key === undefined || under(prefix, key)) yield event;
      }
    },
  };
}

function follow<T>(present: readonly Entry<T>[], feed: Feed<FollowEvent<Entry<T>>>, signal: AbortSignal) {
  const revision = Math.max(0, ...present.map((entry) => entry.revision));
  const puts = present.map((entry) => ({ type: "put" as const, entry: copy(entry) }));
  return feed.follow([...puts, { type: "synced", revision }], signal);
}

function createJournals(next: () => number): JournalStore<Json, Json> {
  const journals = new Map<string, Json[]>();
  const summaries = new Map<string, Entry<Json>>();
  const changed = createFeed<Entry<Json>>();
  const feeds = new Map<string, Feed<Json>>();
  const feedOf = (operation: string) => {
    const feed = feeds.get(operation) ?? createFeed<Json>();
    feeds.set(operation, feed);
    return feed;
  };
  return {
    read: async (operation) => copy(journals.get(operation) ?? []),
    async append(operation, index, entry) {
      const entries = journals.get(operation) ?? [];
      const present = entries[index];
      if (present !== undefined) return same(present, entry);
      if (index !== entries.length) return false;
      journals.set(operation, [...entries, copy(entry)]);
      feedOf(operation).publish(copy(entry));
      return true;
    },
    follow: (operation, from, signal) =>
      feedOf(operation).follow(copy((journals.get(operation) ?? []).slice(from)), signal),
    changes: (signal) => changed.follow([], signal),
    async summaries(limit, isEnded) {
      const open = [...summaries.values()].filter(({ value }) => isEnded?.(value) !== true);
      return copy(open.sort((a, b) => (a.key < b.key ? 1 : -1)).slice(0, limit));
    },
    summary: async (operation) => copy(summaries.get(operation)),
    async putSummary(operation, summary) {
      const entry = { key: operation, value: copy(summary), revision: next() };
      summaries.set(operation, entry);
      changed.publish(copy(entry));
    },
  };
}
