import { type FSWatcher, watch } from "node:fs";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { LogLine, LogOptions } from "../runtime.ts";

type Stream = LogLine["stream"];

/** `2026-01-31 12:00:00.123456789  text`, as s6-log(8) writes with `T` and TZ=UTC0. */
export function parseLine(raw: string, stream: Stream): LogLine | undefined {
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{9}) {1,2}/.exec(raw);
  if (match === null) return undefined;
  return { time: `${match[1]}T${match[2]}Z`, stream, line: raw.slice(match[0].length) };
}

/** Reads the log folders of both streams in the order of time; with `follow`, then what comes, until the signal aborts. */
export async function* readLogs(
  dirs: Readonly<Record<Stream, string>>,
  options: LogOptions,
): AsyncGenerator<LogLine> {
  const tails = [new Tail(dirs.stdout, "stdout"), new Tail(dirs.stderr, "stderr")];
  const since = options.sinceMs === undefined ? "" : new Date(options.sinceMs).toISOString().slice(0, -1);
  const wake = options.follow === true ? watchDirs(Object.values(dirs), options.signal) : undefined;
  try {
    const backlog: LogLine[] = [];
    for (const tail of tails)
      for await (const line of tail.read()) if (line.time >= since) backlog.push(line);
    backlog.sort(byTime);
    yield* options.tail === undefined ? backlog : backlog.slice(Math.max(0, backlog.length - options.tail));
    while (wake !== undefined && (await wake.next())) {
      const fresh: LogLine[] = [];
      for (const tail of tails)
        for await (const line of tail.read()) if (line.time >= since) fresh.push(line);
      yield* fresh.sort(byTime);
    }
  } finally {
    wake?.close();
    for (const tail of tails) await tail.close();
  }
}

function byTime(a: LogLine, b: LogLine): number {
  return a.time < b.time ? -1 : a.time > b.time ? 1 : 0;
}

/**
 * Reads one log folder onwards from where it last stopped. s6-log renames `current` to an archive whose name sorts by time
 * (`@…`) and starts a new one; the open file stays readable, and the archives after it contain the lines written in between.
 */
class Tail {
  private readonly dir: string;
  private readonly stream: Stream;
  private file: { handle: FileHandle; inode: number; offset: number } | undefined;
  private rest: Buffer = Buffer.alloc(0);

  constructor(dir: string, stream: Stream) {
    this.dir = dir;
    this.stream = stream;
  }

  /** Yields the complete lines that are there and have not been read. */
  async *read(): AsyncGenerator<LogLine> {
    if (this.file === undefined && !(await this.openNext(undefined))) return;
    while (this.file !== undefined) {
      const inode: number = this.file.inode;
      // Looked at before reading: if it is still the current one, its end is for now the end of the log.
      const current = (await stat(join(this.dir, "current")).catch(() => undefined))?.ino === inode;
      yield* this.drain();
      if (current || !(await this.openNext(inode))) return;
    }
  }

  private async *drain(): AsyncGenerator<LogLine> {
    const file = this.file;
    if (file === undefined) return;
    const chunk = Buffer.alloc(65_536);
    for (;;) {
      const { bytesRead } = await file.handle.read(chunk, 0, chunk.length, file.offset);
      if (bytesRead === 0) return;
      file.offset += bytesRead;
      let text = Buffer.concat([this.rest, chunk.subarray(0, bytesRead)]);
      for (let end = text.indexOf(10); end !== -1; end = text.indexOf(10)) {
        const line = parseLine(text.subarray(0, end).toString("utf8"), this.stream);
        text = text.subarray(end + 1);
        if (line !== undefined) yield line;
      }
      this.rest = Buffer.from(text);
    }
  }

  /** Opens the file written after the one with this inode; the oldest one when it is undefined or already deleted. */
  private async openNext(inode: number | undefined): Promise<boolean> {
    const files = await this.settled();
    const at = files.findIndex((file) => file.inode === inode);
    const deleted = at === -1 && (this.file === undefined || (await this.file.handle.stat()).nlink === 0);
    // Ours is there under a name that was being changed: look again at the next event.
    const next = at === -1 && !deleted ? undefined : files[at + 1];
    await Promise.all(files.map(async (file) => (file === next ? undefined : file.handle.close())));
    if (next === undefined) return false;
    await this.file?.handle.close();
    this.rest = Buffer.alloc(0);
    this.file = { ...next, offset: 0 };
    return true;
  }

  /** All files of the folder, oldest first, as they were at one moment: a rotation in between would hide or double a file. */
  private async settled(): Promise<{ handle: FileHandle; inode: number }[]> {
    for (let attempt = 0; ; attempt++) {
      const before = await this.names();
      const files: { handle: FileHandle; inode: number }[] = [];
      for (const name of before) {
        const handle = await open(join(this.dir, name), "r").catch(() => undefined);
        if (handle !== undefined) files.push({ handle, inode: (await handle.stat()).ino });
      }
      const current = await stat(join(this.dir, "current")).catch(() => undefined);
      const after = await this.names();
      const same =
        before.join("/") === after.join("/") &&
        (current === undefined || files.at(-1)?.inode === current.ino);
      if (same || attempt === 20) return files;
      await Promise.all(files.map(({ handle }) => handle.close()));
    }
  }

  private async names(): Promise<readonly string[]> {
    const all = await readdir(this.dir).catch(() => [] as string[]);
    const archives = all.filter((name) => name.startsWith("@")).sort();
    return all.includes("current") ? [...archives, "current"] : archives;
  }

  async close(): Promise<void> {
    await this.file?.handle.close();
    this.file = undefined;
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
