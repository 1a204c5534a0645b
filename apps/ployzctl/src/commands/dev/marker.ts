import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Settings } from "../../settings.ts";

const file = (settings: Settings) => join(settings.dataDir, "dev.json");

/** Records for `dev down` what `dev` created beside its cluster. Later runs add to it. */
export async function markMade(settings: Settings, changed: readonly string[]): Promise<void> {
  const before = await madeBy(settings);
  if (before !== undefined && changed.every((what) => before.includes(what))) return;
  await mkdir(settings.dataDir, { recursive: true });
  await writeFile(file(settings), JSON.stringify([...new Set([...(before ?? []), ...changed])]), {
    mode: 0o600,
  });
}

export async function madeBy(settings: Settings): Promise<readonly string[] | undefined> {
  const text = await readFile(file(settings), "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as string[]);
}
