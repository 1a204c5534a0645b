import { type FSWatcher, watch } from "node:fs";
import { type FileHandle, mkdir, open, stat } from "node:fs/promises";
import { join } from "node:path";
import { CURRENT, endedFiles } from "./files.ts";
import type { AccessRecord } from "./record.ts";

/** What to read of a log. */
export interface AccessQuery {
  readonly namespace?: string;
  readonly service?: string;
  /** Only the last so many of the lines that are there; all when absent. */
  readonly tail?: number;
  /** Epoch milliseconds. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** Then the lines that come, until the signal aborts. */
  readonly follow?: boolean;
}

const BLOCK = 64 * 1024;
const NEWLINE = 10;

/** The records of a log's folder in the order of their writing. Memory for `tail` records and a block. */
export async function* readAccess(
  dir: string,
  query: AccessQuery,
  signal: AbortSignal,
): AsyncGenerator<AccessRecord> {
  const { tail, follow = false } = query;
  if (follow) await mkdir(dir, { recursive: true, mode: 0o700 });
  const wanted = matcher(query);
  const wake = follow ? watchFolder(dir, signal) : undefined;
  const reader = openReader(dir);
  try {
    const fresh = async function* (): AsyncGenerator<AccessRecord> {
      for await (const line of reader.read()) {
        if (signal.aborted) return;
        const record = wanted(line);
        if (record !== undefined) yield record;
      }
    };
    if (tail === undefined) yield* fresh();
    else {
      const last: AccessRecord[] = [];
      for await (const record of fresh())
        if (last.push(record) > 2 * tail) last.splice(0, last.length - tail);
      yield* last.slice(Math.max(0, last.length - tail));
    }
    while (wake !== undefined && (await wake.next())) yield* fresh();
  } finally {
    wake?.close();
    await reader.close();
  }
}

/** Lines begin with time, namespace and service: those of others are not parsed. */
function matcher(query: AccessQuery): (line: string) => AccessRecord | undefined {
  const { namespace, service, sinceMs = 0, untilMs = Number.POSITIVE_INFINITY } = query;
  const since = new Date(sinceMs).toISOString();
  const until = untilMs === Number.POSITIVE_INFINITY ? "~" : new Date(untilMs).toISOString();
  const owner = [
    ...(namespace === undefined ? [] : [`"namespace":${JSON.stringify(namespace)}`]),
    ...(service === undefined ? [] : [`"service":${JSON.stringify(service)}`]),
  ].join(",");
  return (line) => {
    const time = line.slice('{"time":"'.length, '{"time":"'.length + since.length);
    if (time < since || time > until) return undefined;
    if (owner !== "" && !line.startsWith(`,${owner},`, '{"time":""'.length + since.length)) return undefined;
    try {
      return JSON.parse(line) as AccessRecord;
    } catch {
      return undefined; // cut by a power cut
    }
  };
}

interface Reader {
  /** The complete lines that were not read yet. */
  read(): AsyncGenerator<string>;
  close(): Promise<void>;
}

/** The open file stays readable after it is renamed; the files after it are found by their names. */
function openReader(dir: string): Reader {
  let file: { readonly handle: FileHandle; readonly inode: number; offset: number } | undefined;
  let rest = Buffer.alloc(0);

  async function* drain(from: { readonly handle: FileHandle; offset: number }): AsyncGenerator<string> {
    const block = Buffer.alloc(BLOCK);
    for (;;) {
      const { bytesRead } = await from.handle.read(block, 0, BLOCK, from.offset);
      if (bytesRead === 0) return;
      from.offset += bytesRead;
      const text = Buffer.concat([rest, block.subarray(0, bytesRead)]);
      let begin = 0;
      for (let end = text.indexOf(NEWLINE); end !== -1; end = text.indexOf(NEWLINE, begin)) {
        yield text.subarray(begin, end).toString("utf8");
        begin = end + 1;
      }
      rest = Buffer.from(text.subarray(begin));
    }
  }

  /** The file written after the open one, or the oldest; false when there is none. */
  async function openNext(): Promise<boolean> {
    const names = [...(await endedFiles(dir)), CURRENT];
    const inodes = await Promise.all(
      names.map(async (name) => (await stat(join(dir, name)).catch(() => undefined))?.ino),
    );
    const at = file === undefined ? -1 : inodes.indexOf(file.inode);
    for (const name of names.slice(at + 1)) {
      const handle = await open(join(dir, name), "r").catch(() => undefined);
      if (handle === undefined) continue;
      const { ino } = await handle.stat();
      if (ino === file?.inode) {
        await handle.close();
        continue;
      }
      await file?.handle.close();
      rest = Buffer.alloc(0);
      file = { handle, inode: ino, offset: 0 };
      return true;
    }
    return false;
  }

  return {
    async *read() {
      if (file === undefined && !(await openNext())) return;
      while (file !== undefined) {
        const current = (await stat(join(dir, CURRENT)).catch(() => undefined))?.ino === file.inode;
        yield* drain(file);
        if (current || !(await openNext())) return;
      }
    },
    async close() {
      await file?.handle.close();
      file = undefined;
    },
  };
}

interface Wake {
  /** True when something was written since the last call, false after the signal. */
  next(): Promise<boolean>;
  close(): void;
}

function watchFolder(dir: string, signal: AbortSignal): Wake {
  let dirty = true; // written between the first read and the watch
  let resume: (() => void) | undefined;
  const poke = (): void => {
    dirty = true;
    resume?.();
  };
  const watcher: FSWatcher = watch(dir, poke).on("error", poke);
  signal.addEventListener("abort", poke);
  return {
    async next() {
      if (!dirty && !signal.aborted) await new Promise<void>((done) => (resume = done));
      dirty = false;
      return !signal.aborted;
    },
    close() {
      signal.removeEventListener("abort", poke);
      watcher.close();
    },
  };
}
