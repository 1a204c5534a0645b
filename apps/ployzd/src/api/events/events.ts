import type { ClusterEvent } from "@ployz/primitives/client";
import type { Member } from "../../daemon/member-parts.ts";
import { invalid } from "../../operations/request.ts";
import { lookAtCluster } from "../status.ts";
import { commitEvent, type Feed, openFeed } from "./feed.ts";

interface Query {
  readonly since?: string;
  readonly follow?: string;
  readonly samples?: string;
}

/** A membership has one feed; a later one has its own. */
const feeds = new WeakMap<Member, Feed>();

function feedOf(member: Member, log: (error: unknown) => void): Feed {
  const found = feeds.get(member);
  if (found !== undefined) return found;
  const feed = openFeed({
    look: (signal) => lookAtCluster(member, signal, { usage: true }),
    changes: member.changes,
    async *operations(signal) {
      for await (const { value } of member.store.journals.changes(signal)) yield value;
    },
    now: Date.now,
    log,
  });
  feeds.set(member, feed);
  return feed;
}

/** What changed in the cluster: of a time that has passed, and as it happens. */
export async function* clusterEvents(
  member: Member,
  query: Query,
  { signal, log }: { readonly signal: AbortSignal; log(error: unknown): void },
): AsyncGenerator<ClusterEvent> {
  const since = sinceOf(query.since);
  const past = async () => (since === undefined ? [] : pastEvents(member, Date.now() - since));
  if (query.follow !== "true") return yield* await past();
  const events = feedOf(member, log)
    .follow(query.samples === "true", signal)
    [Symbol.asyncIterator]();
  try {
    // Begun first: an event in between comes twice rather than not at all.
    const first = await events.next();
    yield* await past();
    for (let next = first; next.done !== true; next = await events.next()) yield next.value;
  } finally {
    await events.return?.();
  }
}

/** Longer than anything is kept. */
const LONGEST_MS = 100 * 366 * 86_400_000;

function sinceOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = Number(text);
  if (!Number.isInteger(ms) || ms < 1 || ms > LONGEST_MS)
    throw invalid(`since is a number of milliseconds from 1 to ${LONGEST_MS}`);
  return ms;
}

const MOST_OPERATIONS = 1_000;
const MOST_COMMITS = 200;

/** Operations and commits from `from` on, oldest first: what the store keeps of the past. */
async function pastEvents(member: Member, from: number): Promise<readonly ClusterEvent[]> {
  const recent = (at: string) => Date.parse(at) >= from;
  const operations = (await member.runner.list(MOST_OPERATIONS)).map(
    (operation): ClusterEvent => ({
      type: "operation",
      at: operation.endedAt ?? operation.startedAt,
      operation,
    }),
  );
  const commits = await Promise.all(
    member
      .heads()
      .filter(({ commit }) => recent(commit.at))
      .map(async ({ commit: { namespace } }) =>
        (await member.store.commits.history(namespace, MOST_COMMITS)).map(({ revision, value }) =>
          commitEvent(revision, value),
        ),
      ),
  );
  return [...operations, ...commits.flat()]
    .filter(({ at }) => recent(at))
    .sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}
