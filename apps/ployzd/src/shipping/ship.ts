import { errorBody } from "@ployz/errors";
import { createBackoff, pause } from "@ployz/exec";
import type { Runtime } from "@ployz/runtime";
import type { EndedLogs } from "../participant/ended-logs.ts";
import { readJson, writeJson } from "../state/files.ts";
import {
  advanced,
  type Cursor,
  linesAfter,
  type Origin,
  originOf,
  type ShippedLine,
  sinceOf,
} from "./lines.ts";
import type { Send } from "./send.ts";

/** How the logs of this machine reach the server. */
export interface ShippingState {
  /** `late`: the oldest line that waits is older than a minute. `failing`: the server has taken nothing for half a minute. */
  readonly state: "ok" | "late" | "failing";
  /** Scheme, host and port of the server. */
  readonly to: string;
  /** Of the last try, when that failed. */
  readonly error?: string;
  /** Lines that the server will never take, by its answer. */
  readonly refused: number;
}

/** Ships the lines of this machine's instances. */
export interface Shipper {
  /** An instance has started. */
  started(id: string): void;
  state(): ShippingState;
  /** Resolves after the signal, when nothing is on its way any more. */
  readonly ended: Promise<void>;
}

export interface ShipDeps {
  readonly to: string;
  readonly send: Send;
  /** The file of the cursors. */
  readonly path: string;
  readonly runtime: Pick<Runtime, "list" | "inspect" | "logs">;
  readonly kept: Pick<EndedLogs, "read">;
  readonly signal: AbortSignal;
  now(): number;
  log(error: unknown): void;
}

interface Saved {
  readonly cursors: readonly Cursor[];
}

/** A line, or the end of an instance's log. */
type Entry = ShippedLine | { readonly over: string };

const WAITING = { lines: 2_000, bytes: 4 * 1024 * 1024 } as const;
const BATCH = { lines: 1_000, bytes: 1024 * 1024 } as const;
/** Lines are gathered for this long. */
const GATHER_MS = 500;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;
/** A batch that is on its way when the daemon stops may arrive. */
const GRACE_MS = 3_000;
const LATE_MS = 60_000;
const FAILING_MS = 30_000;

/**
 * Follows every instance of this machine and sends its lines in their order. The logs themselves are what waits for a server that is away;
 * a file has how far each was taken. A line is sent again when the daemon died before it could write that down.
 */
export async function openShipper(deps: ShipDeps): Promise<Shipper> {
  const { to, send, path, runtime, kept, signal, now, log } = deps;
  const saved = await readJson<Saved>(path).catch((error: unknown) => log(error));
  const taken = new Map(saved?.cursors.map((cursor) => [cursor.origin.instance, cursor]));
  const queued = new Map(taken);
  const reading = new Map<string, Promise<void>>();
  const queue: Entry[] = [];
  let bytes = 0;
  const rooms: (() => void)[] = [];
  let wake: () => void = () => {};
  let failing: { readonly since: number; readonly error: string } | undefined;
  let refused = 0;
  const isFull = () => queue.length >= WAITING.lines || bytes >= WAITING.bytes;
  const sizeOf = (entry: Entry) => ("over" in entry ? 0 : entry.line.length);

  async function push(entry: Entry): Promise<void> {
    queue.push(entry);
    bytes += sizeOf(entry);
    wake();
    if (isFull() && !signal.aborted) await new Promise<void>((resolve) => rooms.push(resolve));
  }
  const resume = () => {
    for (const one of rooms.splice(0)) one();
  };
  signal.addEventListener("abort", () => {
    wake();
    resume();
  });

  async function readOn(id: string, ended: boolean): Promise<void> {
    const cursor = queued.get(id);
    if (cursor === undefined) return;
    const sinceMs = sinceOf(cursor);
    const range = sinceMs === undefined ? {} : { sinceMs };
    const lines = ended ? kept.read(id, range) : runtime.logs(id, { follow: true, ...range, signal });
    for await (const line of linesAfter(cursor, lines)) {
      if (signal.aborted) return;
      queued.set(id, advanced(queued.get(id) ?? cursor, line));
      await push(line);
    }
  }

  /** Until its removal, and then the copy of its log. */
  async function read(id: string): Promise<void> {
    const backoff = createBackoff(FIRST_RETRY_MS, LONGEST_RETRY_MS);
    while (!signal.aborted) {
      try {
        if ((await runtime.inspect(id)).state !== "absent") {
          await readOn(id, false);
          // Its log has ended: it goes.
          await backoff.pause(signal);
          continue;
        }
        await readOn(id, true);
        if (!signal.aborted) await push({ over: id });
        return;
      } catch (error) {
        if (!signal.aborted) log(error);
        await backoff.pause(signal);
      }
    }
  }

  function follow(origin: Origin, from: Omit<Cursor, "origin"> = {}): void {
    const { instance } = origin;
    if (reading.has(instance) || signal.aborted) return;
    const cursor = queued.get(instance) ?? { origin, ...from };
    queued.set(instance, cursor);
    if (!taken.has(instance)) taken.set(instance, cursor);
    reading.set(
      instance,
      read(instance).finally(() => reading.delete(instance)),
    );
  }

  const save = () => writeJson(path, { cursors: [...taken.values()] } satisfies Saved);

  /** The first entries, of at most the size of a batch. */
  function nextBatch(): readonly Entry[] {
    let size = 0;
    const end = queue.findIndex((entry, i) => {
      size += sizeOf(entry);
      return i > 0 && (i >= BATCH.lines || size > BATCH.bytes);
    });
    return queue.slice(0, end < 0 ? queue.length : end);
  }

  async function deliver(lines: readonly ShippedLine[], hard: AbortSignal): Promise<boolean> {
    const backoff = createBackoff(FIRST_RETRY_MS, LONGEST_RETRY_MS);
    while (lines.length > 0) {
      try {
        const sent = await send(lines, hard);
        failing = undefined;
        if (sent !== "taken" && sent.tooLarge && lines.length > 1) {
          const half = Math.ceil(lines.length / 2);
          return (await deliver(lines.slice(0, half), hard)) && deliver(lines.slice(half), hard);
        }
        if (sent !== "taken") {
          refused += lines.length;
          log(new Error(`${to} refused ${lines.length} lines: ${sent.refused}`));
        }
        return true;
      } catch (error) {
        if (signal.aborted) return false;
        const { message } = errorBody(error);
        if (failing === undefined) log(error);
        failing = { since: failing?.since ?? now(), error: message };
        await backoff.pause(signal);
      }
    }
    return true;
  }

  async function sendAll(): Promise<void> {
    const hard = new AbortController();
    const grace = () => setTimeout(() => hard.abort(), GRACE_MS).unref();
    signal.addEventListener("abort", grace, { once: true });
    while (!signal.aborted) {
      if (queue.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      if (queue.length < BATCH.lines && !isFull()) await pause(GATHER_MS, signal);
      const batch = nextBatch();
      const lines = batch.filter((entry): entry is ShippedLine => !("over" in entry));
      if (signal.aborted || !(await deliver(lines, hard.signal))) return;
      for (const entry of queue.splice(0, batch.length)) {
        bytes -= sizeOf(entry);
        if ("over" in entry) {
          taken.delete(entry.over);
          queued.delete(entry.over);
        } else {
          const { instance } = entry.origin;
          taken.set(instance, advanced(taken.get(instance) ?? { origin: entry.origin }, entry));
        }
      }
      resume();
      await save().catch(log);
    }
  }

  // Logs from before the first time are left out: servers refuse old lines.
  const at = { time: new Date(now()).toISOString(), nth: 0 };
  const first = saved === undefined ? { stdout: at, stderr: at } : {};
  async function followAll(): Promise<void> {
    for (const { origin } of taken.values()) follow(origin);
    const backoff = createBackoff(FIRST_RETRY_MS, LONGEST_RETRY_MS);
    while (!signal.aborted) {
      try {
        for (const { id, labels } of await runtime.list()) {
          const origin = originOf(id, labels);
          if (origin !== undefined) follow(origin, first);
        }
        return await save();
      } catch (error) {
        log(error);
        await backoff.pause(signal);
      }
    }
  }

  const running = Promise.all([followAll(), sendAll().catch(log)]);
  return {
    started(id) {
      void runtime
        .inspect(id)
        .then(({ labels }) => {
          const origin = originOf(id, labels);
          if (origin !== undefined) follow(origin);
        })
        .catch(log);
    },
    state() {
      const oldest = queue.find((entry): entry is ShippedLine => !("over" in entry));
      const isLate = oldest !== undefined && now() - Date.parse(oldest.time) > LATE_MS;
      const isFailing = failing !== undefined && now() - failing.since > FAILING_MS;
      return {
        ...{ to, refused, state: isFailing ? "failing" : isLate ? "late" : "ok" },
        ...(failing !== undefined && { error: failing.error }),
      };
    },
    ended: running.then(async () => {
      await Promise.all(reading.values());
    }),
  };
}
