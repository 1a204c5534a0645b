import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** Longest line in a log, in bytes: the logger splits longer ones, and so needs no more memory than that. */
export const LINE_BYTES = 65_536;

/**
 * Follows the last bytes of each life of an instance: on a line of its own or, when the program did not end its last line, at the end of
 * that line. ASCII's end of transmission.
 */
export const END_MARK = "\u0004";

/** One log folder, read onwards from where it was last read. */
export interface LogFolder {
  /** Moves to a place from which at least the last `lines` lines follow, reading backwards from the end; to the start if there are fewer. */
  seekTail(lines: number): Promise<void>;
  /** Yields the complete lines that are there and have not been read. Of an endless line, its beginning. */
  read(): AsyncGenerator<string>;
  close(): Promise<void>;
}

interface LogFile {
  readonly handle: FileHandle;
  readonly inode: number;
  offset: number;
}

const BLOCK = 65_536;
/** A line, and the time before it. */
const KEPT_BYTES = LINE_BYTES + 64;
const NEWLINE = 10;
/** The end of a line that is a mark alone: such lines are not counted. */
const MARK_ALONE = Buffer.from(` ${END_MARK}`);

/**
 * s6-log renames `current` to an archive whose name sorts by time (`@…`) and starts a new one; the open file stays readable, and the
 * archives after it contain the lines written in between.
 */
export function openLogFolder(dir: string): LogFolder {
  let file: LogFile | undefined;
  let rest: Buffer = Buffer.alloc(0);

  async function* drain({ handle }: LogFile, at: { offset: number }): AsyncGenerator<string> {
    const block = Buffer.alloc(BLOCK);
    for (;;) {
      const { bytesRead } = await handle.read(block, 0, BLOCK, at.offset);
      if (bytesRead === 0) return;
      at.offset += bytesRead;
      let begin = 0;
      const text = block.subarray(0, bytesRead);
      for (let end = text.indexOf(NEWLINE); end !== -1; end = text.indexOf(NEWLINE, begin)) {
        const line = Buffer.concat([rest, text.subarray(begin, end)]);
        begin = end + 1;
        rest = Buffer.alloc(0);
        yield line.subarray(0, KEPT_BYTES).toString("utf8");
      }
      if (rest.length < KEPT_BYTES) rest = Buffer.concat([rest, text.subarray(begin)]);
    }
  }

  /** Opens the file written after the open one; the oldest when none is open, or when that is deleted. */
  async function openNext(): Promise<boolean> {
    const files = await settled(dir);
    const at = files.findIndex(({ inode }) => inode === file?.inode);
    const deleted = at === -1 && (file === undefined || (await file.handle.stat()).nlink === 0);
    // Ours is there under a name that was being changed: look again at the next event.
    const next = at === -1 && !deleted ? undefined : files[at + 1];
    await closeAll(files.filter((one) => one !== next));
    if (next === undefined) return false;
    await file?.handle.close();
    rest = Buffer.alloc(0);
    file = next;
    return true;
  }

  return {
    async seekTail(lines) {
      const files = await settled(dir);
      let left = lines;
      for (let i = files.length - 1; i >= 0; i--) {
        const one = files[i] as LogFile;
        const found = await startOfLast(one.handle, left);
        one.offset = found.offset;
        left -= found.lines;
        if (left > 0 && i > 0) continue;
        file = one;
        break;
      }
      await closeAll(files.filter((one) => one !== file));
    },
    async *read() {
      if (file === undefined && !(await openNext())) return;
      while (file !== undefined) {
        const now: LogFile = file;
        // Looked at before reading: if it is still the current one, its end is for now the end of the log.
        const current = (await stat(join(dir, "current")).catch(() => undefined))?.ino === now.inode;
        yield* drain(now, now);
        if (current || !(await openNext())) return;
      }
    },
    async close() {
      await file?.handle.close();
      file = undefined;
    },
  };
}

/** Where the last `wanted` complete lines of a file begin, or its start; and how many lines follow. Reads backwards from its end. */
async function startOfLast(
  handle: FileHandle,
  wanted: number,
): Promise<{ readonly offset: number; readonly lines: number }> {
  const block = Buffer.alloc(BLOCK);
  let lines = 0;
  let following: number | undefined; // the newline that ends the line in hand
  for (let end = (await handle.stat()).size; end > 0; end = Math.max(0, end - BLOCK)) {
    const begin = Math.max(0, end - BLOCK);
    const { bytesRead } = await handle.read(block, 0, end - begin, begin);
    const text = block.subarray(0, bytesRead);
    for (let at = text.lastIndexOf(NEWLINE); at !== -1; at = text.subarray(0, at).lastIndexOf(NEWLINE)) {
      if (following !== undefined && !(await isMark(handle, following))) lines++;
      if (lines >= wanted) return { offset: begin + at + 1, lines };
      following = begin + at;
    }
  }
  if (following !== undefined && !(await isMark(handle, following))) lines++;
  return { offset: 0, lines };
}

async function isMark(handle: FileHandle, newline: number): Promise<boolean> {
  const before = Buffer.alloc(MARK_ALONE.length);
  await handle.read(before, 0, before.length, Math.max(0, newline - before.length));
  return before.equals(MARK_ALONE);
}

/** Whether all that a life has written is there: its mark is the last line. */
export async function isComplete(dir: string): Promise<boolean> {
  const handle = await open(join(dir, "current"), "r").catch(() => undefined);
  if (handle === undefined) return false;
  try {
    const { size } = await handle.stat();
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, Math.max(0, size - 2));
    return buffer.subarray(0, bytesRead).equals(Buffer.from(`${END_MARK}\n`));
  } finally {
    await handle.close();
  }
}

/** All files of the folder, oldest first, as they were at one moment: a rotation in between would hide or double a file. */
async function settled(dir: string): Promise<LogFile[]> {
  for (let attempt = 0; ; attempt++) {
    const before = await names(dir);
    const files: LogFile[] = [];
    for (const name of before) {
      const handle = await open(join(dir, name), "r").catch(() => undefined);
      if (handle !== undefined) files.push({ handle, inode: (await handle.stat()).ino, offset: 0 });
    }
    const current = await stat(join(dir, "current")).catch(() => undefined);
    const after = await names(dir);
    const same =
      before.join("/") === after.join("/") && (current === undefined || files.at(-1)?.inode === current.ino);
    if (same || attempt === 20) return files;
    await closeAll(files);
  }
}

const closeAll = (files: readonly LogFile[]) => Promise.all(files.map(({ handle }) => handle.close()));

async function names(dir: string): Promise<readonly string[]> {
  const all = await readdir(dir).catch(() => [] as string[]);
  const archives = all.filter((name) => name.startsWith("@")).sort();
  return all.includes("current") ? [...archives, "current"] : archives;
}
