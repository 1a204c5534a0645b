import { type FileHandle, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** A log in a folder of bounded size. */
export interface LogFiles {
  /** Never waits and never fails: lines for which there is no room are counted as lost. */
  append(lines: string): void;
  /** Lines that could not be written since the start. */
  lost(): number;
  /** Writes the lines that wait. */
  close(): Promise<void>;
}

/** The file that is written; the others are named by the time at which they were ended. */
export const CURRENT = "current";
const FILES = 8;
const PENDING_BYTES = 4 * 1024 * 1024;

/** Of a log's folder, oldest first, without the current one. */
export const endedFiles = async (dir: string): Promise<readonly string[]> =>
  (await readdir(dir).catch(() => [])).filter((name) => /^\d{15}$/.test(name)).sort();

/** Keeps about `keepBytes`. */
export async function openLogFiles(
  dir: string,
  { keepBytes, onError }: { readonly keepBytes: number; readonly onError: (error: unknown) => void },
): Promise<LogFiles> {
  const fileBytes = Math.max(64 * 1024, Math.floor(keepBytes / FILES));
  const blockBytes = Math.min(256 * 1024, fileBytes / 2);
  const pending: string[] = [];
  let bytes = 0;
  let lost = 0;
  let failed = false;
  let writing: Promise<void> | undefined;
  let file: { readonly handle: FileHandle; size: number } | undefined;

  async function current(): Promise<{ readonly handle: FileHandle; size: number }> {
    if (file !== undefined && file.size < fileBytes) return file;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    if (file !== undefined) {
      await file.handle.close();
      file = undefined;
      await rename(join(dir, CURRENT), join(dir, await nextName(dir)));
    }
    const ended = await endedFiles(dir);
    for (const name of ended.slice(0, Math.max(0, ended.length - (FILES - 1))))
      await rm(join(dir, name), { force: true });
    const handle = await open(join(dir, CURRENT), "a", 0o600);
    file = { handle, size: (await handle.stat()).size };
    return file;
  }

  async function write(text: string): Promise<void> {
    const to = await current();
    const block = Buffer.from(text);
    try {
      await to.handle.appendFile(block);
      to.size += block.length;
    } catch (error) {
      await to.handle.truncate(to.size).catch(() => undefined); // no half line
      throw error;
    }
  }

  async function drain(): Promise<void> {
    while (pending.length > 0) {
      let [count, size] = [0, 0];
      for (; count < pending.length && size < blockBytes; count++) size += pending[count]?.length ?? 0;
      const taken = pending.splice(0, count);
      bytes -= size;
      try {
        await write(taken.join(""));
        failed = false;
      } catch (error) {
        lost += taken.length;
        if (!failed) onError(error);
        failed = true;
      }
    }
  }

  return {
    append(line) {
      if (bytes + line.length > PENDING_BYTES) {
        lost += 1;
        return;
      }
      pending.push(line);
      bytes += line.length;
      writing ??= drain().finally(() => {
        writing = undefined;
      });
    },
    lost: () => lost,
    async close() {
      await writing;
      await file?.handle.close();
      file = undefined;
    },
  };
}

/** Later than all that are there, also after the clock was set back. */
async function nextName(dir: string): Promise<string> {
  const last = Number((await endedFiles(dir)).at(-1) ?? 0);
  return String(Math.max(Date.now(), last + 1)).padStart(15, "0");
}
