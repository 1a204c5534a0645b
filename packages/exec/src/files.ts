import { randomBytes } from "node:crypto";
import { link, mkdir, open, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { PloyzError } from "./error-codes.ts";
import { spendReserve } from "./reserve.ts";

/** A file's text; `undefined` when there is no such file. */
export const readFileIfThere = (path: string): Promise<string | undefined> =>
  readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });

/**
 * Replaces a file so that a crash or a power cut leaves the old content or the new, never a part. Makes its folder (0700) when it is
 * missing. On a full disk it uses the reserve (`keepReserve`). Two writers of one file must take turns: both use `PATH.new`.
 * @throws PloyzError `disk_full` when the reserve is used up too.
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  mode = 0o600,
): Promise<void> {
  const need = Buffer.byteLength(content);
  for (;;) {
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await writeFile(`${path}.new`, content, { mode, flush: true });
      await rename(`${path}.new`, path);
      await syncFolder(dirname(path));
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOSPC" && code !== "EDQUOT") throw error;
      await rm(`${path}.new`, { force: true });
      if (!(await spendReserve(path, need))) throw diskFull(path, need, error);
    }
  }
}

/**
 * Makes a file with its folder (0700), unless the file is there; resolves with the content that stands then. It is there whole or not at all, also for others
 * that make it at the same moment, and after a power cut.
 */
export async function createFileOnce(path: string, content: string, mode = 0o600): Promise<string> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await writeFile(draft, content, { mode, flag: "wx", flush: true });
    await link(draft, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    await syncFolder(dirname(path));
  } finally {
    await rm(draft, { force: true });
  }
  return readFile(path, "utf8");
}

const diskFull = (path: string, need: number, cause: unknown) =>
  new PloyzError(
    {
      code: "disk_full",
      message: `no space left for ${path}, which needs ${need} bytes`,
      hint: `free space on its file system: df -h ${dirname(path)}`,
      details: { path, needBytes: need },
    },
    { cause },
  );

/** Makes a link name another target, in one rename. */
export async function replaceLink(path: string, target: string): Promise<void> {
  await rm(`${path}.new`, { force: true });
  await symlink(target, `${path}.new`);
  await rename(`${path}.new`, path);
}

/** Flushes a folder to disk: the renames in it survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
