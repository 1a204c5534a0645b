import { readlink } from "node:fs/promises";
import { readFileIfThere, replaceLink, writeFileAtomic } from "../files.ts";

/** Writes atomically if the content differs. Returns whether it wrote. */
export async function writeIfChanged(path: string, content: string, mode: number): Promise<boolean> {
  if ((await readFileIfThere(path)) === content) return false;
  await writeFileAtomic(path, content, mode);
  return true;
}

/**
 * Links `path` to an executable at `script`: a file system mounted noexec, like Debian's /run, refuses to execute its own files but not
 * link targets elsewhere. Returns the earlier content.
 */
export async function linkScript(path: string, script: string, content: string): Promise<string | undefined> {
  const before = await readFileIfThere(path);
  await writeIfChanged(script, content, 0o700);
  const target = await readlink(path).catch(() => undefined); // none, or a file of its own
  if (target !== script) await replaceLink(path, script);
  return before;
}
