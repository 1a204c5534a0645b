import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** The absolute path of an executable in `extraDirs`, PATH, /usr/sbin or /sbin (root's tools are often not in a daemon's PATH). */
export async function findProgram(
  name: string,
  extraDirs: readonly string[] = [],
): Promise<string | undefined> {
  const path = (process.env.PATH ?? "").split(delimiter).filter((dir) => dir !== "");
  for (const dir of [...extraDirs, ...path, "/usr/sbin", "/sbin"]) {
    const candidate = join(dir, name);
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      // not here: look in the next folder
    }
  }
  return undefined;
}
