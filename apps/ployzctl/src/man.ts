import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { COMMANDS } from "./commands/index.ts";
import { GROUPS } from "./groups.ts";
import { manPages } from "./output/man.ts";

/** `ployzctl __man FOLDER`: what tools/release/build-payload puts into the payload. */
export async function writeManPages(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(manPages(GROUPS, COMMANDS)))
    await writeFile(join(folder, name), text);
}
