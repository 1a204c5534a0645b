import { readFile } from "node:fs/promises";
import { usage } from "../../errors.ts";
import { whyUnreadable } from "../../files.ts";

/** A file that an option names, as text. */
export async function readGiven(option: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw usage(`${option}: ${path}: ${whyUnreadable(error as NodeJS.ErrnoException)}`);
  }
}
