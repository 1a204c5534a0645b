import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { usage } from "../../errors.ts";
import { invalid, packFolder } from "./folder.ts";

/** A folder or tar to ship, read once: later changes are not in it. */
export interface Bundle extends AsyncDisposable {
  /** `sha256:…` of the tar. */
  readonly digest: string;
  /** Of the tar. */
  readonly bytes: number;
  /** How many files a folder has; absent for a tar. */
  readonly files?: number;
  /** The tar. May be called again. */
  read(): Readable;
}

/** @throws PloyzError `invalid_input` for a path that does not exist or cannot be shipped. */
export async function openBundle(path: string): Promise<Bundle> {
  const stat = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    throw invalid(
      error.code === "ENOENT" ? "no such folder or tar" : `cannot be read (${error.code})`,
      "the path is relative to the manifest's folder",
    );
  });
  if (stat.isFile()) return spooled(createReadStream(path));
  if (!stat.isDirectory()) throw invalid("is neither a folder nor a tar", "name a folder");
  let files = 0;
  const spool = await spooled(packFolder(path, () => files++));
  return { ...spool, files };
}

/** In a file without a name, which goes with the process. */
async function spooled(tar: AsyncIterable<Buffer>): Promise<Bundle> {
  const folder = await mkdtemp(join(tmpdir(), "ployz-bundle-"));
  const file = await open(join(folder, "tar"), "w+", 0o600);
  await rm(folder, { recursive: true, force: true });
  try {
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const chunk of tar) {
      hash.update(chunk);
      await file.appendFile(chunk);
      bytes += chunk.length;
    }
    return {
      digest: `sha256:${hash.digest("hex")}`,
      bytes,
      read: () => file.createReadStream({ start: 0, autoClose: false }),
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    if ((error as NodeJS.ErrnoException).code === "ENOSPC")
      throw usage(`no space left in ${tmpdir()} for a copy of the bundle`, "set TMPDIR to a larger folder");
    throw error;
  }
}
