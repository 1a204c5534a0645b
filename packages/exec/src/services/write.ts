import { readFile, rename, writeFile } from "node:fs/promises";

/** Writes atomically if the content differs. Says whether it did. */
export async function writeIfChanged(path: string, content: string, mode: number): Promise<boolean> {
  const present = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (present === content) return false;
  const temporary = `${path}.new`;
  await writeFile(temporary, content, { mode });
  await rename(temporary, path);
  return true;
}
