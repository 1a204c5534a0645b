import { randomBytes } from "node:crypto";
import { open, stat, statfs, truncate } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Space that is kept for state when everything else has filled the disk: enough to stop, drain and remove all of a machine. */
const RESERVE_BYTES = 4 * 1024 * 1024;
/** Given back for one write: more than its file needs, so that it also finds room among others that wait for some. */
const SLICE_BYTES = 128 * 1024;
const NAME = ".reserve";

/** Makes or refills the reserve of a folder, unless the disk is nearly full. Random bytes: a file system must not compress them away. */
export async function keepReserve(folder: string): Promise<void> {
  const path = join(folder, NAME);
  const size = await sizeOf(path);
  const missing = RESERVE_BYTES - size;
  const { bavail, bsize } = await statfs(folder);
  if (missing <= 0 || bavail * bsize < 4 * missing) return;
  const file = await open(path, "a", 0o600);
  try {
    await file.write(randomBytes(missing));
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Gives back some of the reserve of the nearest folder above `path` that has one; `false` when there is none left. */
export async function spendReserve(path: string, need: number): Promise<boolean> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const size = await sizeOf(join(folder, NAME));
    if (size > 0) {
      await truncate(join(folder, NAME), Math.max(0, size - SLICE_BYTES - 2 * need));
      return true;
    }
    if (folder === dirname(folder)) return false;
  }
}

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );
