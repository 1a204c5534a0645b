import { createBackoff, pause } from "@ployz/exec";
import type { ClusterEvent } from "@ployz/primitives/client";
import type { OperationSummary } from "@ployz/primitives/protocol";
import type { MemberChange } from "../../daemon/changes.ts";
import { differences, type Look, sampleOf } from "./differences.ts";
import { type EventQueue, eventQueue } from "./queue.ts";

export interface FeedDeps {
  /** Looks at every machine. */
  look(signal: AbortSignal): Promise<Look>;
  /** Calls after each commit and each change of the membership; returns how to stop. */
  changes(listener: (change: MemberChange) => void): () => void;
  /** Summaries of operations, as they are written. */
  operations(signal: AbortSignal): AsyncIterable<OperationSummary>;
  now(): number;
  log(error: unknown): void;
}

/** The changes of the cluster, for any number of followers. Looks at the cluster only while there is one. */
export interface Feed {
  /** The first event is `following`; before it, nothing is missed that is read after it. */
  follow(samples: boolean, signal: AbortSignal): AsyncIterable<ClusterEvent>;
}

/** Loads and instances have no events of their own: they are measured this often, once for all followers. */
const LOOK_MS = 5_000;
/** Changes that come together are looked at together. */
const SETTLE_MS = 300;

interface Running {
  readonly stop: AbortController;
  /** The first look; later ones are compared with it. */
  readonly first: Promise<void>;
}

export function openFeed(deps: FeedDeps): Feed {
  const followers = new Map<EventQueue, { readonly samples: boolean }>();
  let running: Running | undefined;
  const at = () => new Date(deps.now()).toISOString();

  function publish(events: readonly ClusterEvent[]): void {
    for (const [queue, { samples }] of followers)
      for (const event of events) if (samples || event.type !== "sample") queue.push(event);
  }

  function start(): Running {
    const stop = new AbortController();
    let woken = new AbortController();
    const off = deps.changes((change) => {
      publish([eventOf(change, at())]);
      woken.abort();
    });
    stop.signal.addEventListener("abort", off, { once: true });
    void operations(stop.signal, () => woken.abort());
    const begin = deps.look(stop.signal);
    const looks = async () => {
      let last = await begin.catch(() => undefined);
      while (!stop.signal.aborted) {
        await pause(LOOK_MS, AbortSignal.any([stop.signal, woken.signal]));
        if (woken.signal.aborted) await pause(SETTLE_MS, stop.signal);
        woken = new AbortController();
        if (stop.signal.aborted) return;
        try {
          const next = await deps.look(stop.signal);
          const time = at();
          publish([...(last === undefined ? [] : differences(last, next, time)), sampleOf(next, time)]);
          last = next;
        } catch (error) {
          if (!stop.signal.aborted) deps.log(error);
        }
      }
    };
    void looks();
    return { stop, first: begin.then(() => {}) };
  }

  async function operations(signal: AbortSignal, wake: () => void): Promise<void> {
    const backoff = createBackoff(500, 10_000);
    while (!signal.aborted) {
      try {
        for await (const operation of deps.operations(signal)) {
          publish([{ type: "operation", at: at(), operation }]);
          backoff.reset();
          wake();
        }
      } catch (error) {
        if (!signal.aborted) deps.log(error);
      }
      await backoff.pause(signal);
    }
  }

  return {
    async *follow(samples, signal) {
      const queue = eventQueue(signal);
      followers.set(queue, { samples });
      running ??= start();
      try {
        await running.first;
        if (signal.aborted) return;
        yield { type: "following", at: at() };
        yield* queue;
      } finally {
        followers.delete(queue);
        if (followers.size === 0) {
          running?.stop.abort();
          running = undefined;
        }
      }
    },
  };
}

function eventOf(change: MemberChange, at: string): ClusterEvent {
  if (change.type === "machine") {
    const { machine, record } = change;
    return { type: "machine", at, machine, ...(record !== undefined && { state: record.state }) };
  }
  const { revision, commit } = change;
  return commitEvent(revision, commit);
}

/** A commit as an event, at the time of its coordinator. */
export const commitEvent = (
  revision: number,
  { namespace, operation, primitive, at, by, removed }: (MemberChange & { type: "commit" })["commit"],
): ClusterEvent => ({
  ...{ type: "commit", at, namespace, revision, operation, primitive, by },
  ...(removed && { removed }),
});
