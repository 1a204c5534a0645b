import { type FSWatcher, watch } from "node:fs";
import { stat } from "node:fs/promises";
import type { LogLine, LogOptions } from "../runtime.ts";
import { END_MARK, type LogFolder, openLogFolder } from "./log-folder.ts";

type Stream = LogLine["stream"];

/** `2026-01-31 12:00:00.123456789  text`, as s6-log(8) writes with `T` and TZ=UTC0. `undefined` also for a mark alone. */
export function parseLine(raw: string, stream: Stream): LogLine | undefined {
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{9}) {1,2}/.exec(raw);
  if (match === null) return undefined;
  const line = raw.slice(match[0].length);
  if (line === END_MARK) return undefined;
  return {
    time: `${match[1]}T${match[2]}Z`,
    stream,
    line: line.endsWith(END_MARK) ? line.slice(0, -1) : line,
  };
}

/**
 * Reads the log folders of both streams in the order of time; with `follow`, then what comes, until the signal aborts or the folders are removed. Takes time in
 * proportion to what it yields, and memory for `tail` lines and two blocks.
 */
export async function* readLogs(
  dirs: Readonly<Record<Stream, string>>,
  options: LogOptions,
): AsyncGenerator<LogLine> {
  const { tail, signal } = options;
  const folders = [openLogFolder(dirs.stdout), openLogFolder(dirs.stderr)] as const;
  const since = options.sinceMs === undefined ? "" : new Date(options.sinceMs).toISOString().slice(0, -1);
  const wake = options.follow === true ? watchDirs(Object.values(dirs), signal) : undefined;
  const fresh = () => merged(linesOf(folders[0], "stdout", since), linesOf(folders[1], "stderr", since));
  try {
    if (tail === undefined) yield* fresh();
    else {
      for (const folder of folders) await folder.seekTail(tail);
      const last: LogLine[] = [];
      for await (const line of fresh()) {
        if (signal?.aborted === true) return;
        last.push(line);
        if (last.length > 2 * tail) last.splice(0, last.length - tail);
      }
      yield* last.slice(Math.max(0, last.length - tail));
    }
    while (wake !== undefined && (await wake.next())) {
      yield* fresh();
      if (!(await isThere(dirs.stdout))) return;
    }
  } finally {
    wake?.close();
    for (const folder of folders) await folder.close();
  }

  async function* linesOf(folder: LogFolder, stream: Stream, from: string): AsyncGenerator<LogLine> {
    for await (const raw of folder.read()) {
      if (signal?.aborted === true) return;
      const line = parseLine(raw, stream);
      if (line !== undefined && line.time >= from) yield line;
    }
  }
}

const isThere = (dir: string): Promise<boolean> =>
  stat(dir).then(
    () => true,
    () => false,
  );

/** Two sources, each in the order of time, as one. */
async function* merged(a: AsyncGenerator<LogLine>, b: AsyncGenerator<LogLine>): AsyncGenerator<LogLine> {
  try {
    let [left, right] = await Promise.all([a.next(), b.next()]);
    while (left.done !== true || right.done !== true) {
      if (right.done === true || (left.done !== true && left.value.time <= right.value.time)) {
        yield left.value as LogLine;
        left = await a.next();
      } else {
        yield right.value;
        right = await b.next();
      }
    }
  } finally {
    await a.return(undefined);
    await b.return(undefined);
  }
}

interface Wake {
  /** `true` when something was written since the last call, `false` after the signal. */
  next(): Promise<boolean>;
  close(): void;
}

function watchDirs(dirs: readonly string[], signal: AbortSignal | undefined): Wake {
  let dirty = true; // written between the first read and the watch
  let resolve: (() => void) | undefined;
  const poke = () => {
    dirty = true;
    resolve?.();
  };
  const watchers: FSWatcher[] = dirs.map((dir) => watch(dir, poke).on("error", poke));
  signal?.addEventListener("abort", poke);
  return {
    async next() {
      if (!dirty && signal?.aborted !== true) await new Promise<void>((done) => (resolve = done));
      dirty = false;
      return signal?.aborted !== true;
    },
    close() {
      signal?.removeEventListener("abort", poke);
      for (const watcher of watchers) watcher.close();
    },
  };
}
