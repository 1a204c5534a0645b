import { readFile, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";

/** Writes atomically if the content differs. Returns whether it wrote. */
export async function writeIfChanged(path: string, content: string, mode: number): Promise<boolean> {
  if ((await textOf(path)) === content) return false;
  const temporary = `${path}.new`;
  await writeFile(temporary, content, { mode });
  await rename(temporary, path);
  return true;
}

/**
 * Links `path` to an executable at `script`: a file system mounted noexec, like Debian's /run, refuses to execute its own files but not
 * link targets elsewhere. Returns whether `path` changed.
 */
export async function linkScript(path: string, script: string, content: string): Promise<boolean> {
  const before = await textOf(path);
  await writeIfChanged(script, content, 0o700);
  const target = await readlink(path).catch(() => undefined); // none, or a file of its own
  if (target !== script) {
    const temporary = `${path}.new`;
    await rm(temporary, { force: true });
    await symlink(script, temporary);
    await rename(temporary, path);
  }
  return before !== content;
}

const textOf = (path: string): Promise<string | undefined> =>
  readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
