import { mkdir, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readFileIfThere, replaceLink, syncFolder } from "@ployz/exec";
import type { RouteTable, Server } from "./table.ts";

/**
 * The gateway's state on disk. Each configuration is a folder of its own, and the link `current` names the one that
 * HAProxy starts from, so that configuration, map and table change together or not at all. `previous` names the last
 * good one before it.
 */
export interface Generation {
  readonly name: string;
  readonly config: string;
  readonly map: string;
  /** Which of the map's keys are served over TLS only. */
  readonly https: string;
  /** Where the map's keys of redirects lead. */
  readonly redirects: string;
  readonly saved: Saved;
}

export interface Saved {
  readonly table: RouteTable;
  /** Ids of servers that were drained by request and are still in the table. */
  readonly drained: readonly string[];
  /** Servers that earlier tables had, so that one that was removed can still be waited for. */
  readonly departed: readonly Server[];
}

const FILES = {
  config: "haproxy.cfg",
  map: "routes.map",
  https: "https.map",
  redirects: "redirects.map",
  saved: "table.json",
} as const;

export async function readCurrent(dir: string): Promise<Generation | undefined> {
  const name = await link(dir, "current");
  if (name === undefined) return undefined;
  try {
    const [config, map, saved] = await Promise.all(
      [FILES.config, FILES.map, FILES.saved].map((file) => readFile(join(dir, name, file), "utf8")),
    );
    // Absent in what earlier versions have written.
    const [https = "", redirects = ""] = await Promise.all(
      [FILES.https, FILES.redirects].map((file) => readFileIfThere(join(dir, name, file))),
    );
    return {
      ...{ name, config: config ?? "", map: map ?? "", https, redirects },
      saved: JSON.parse(saved ?? "") as Saved,
    };
  } catch (error) {
    if (isMissing(error) || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Writes a new generation's folder, durable, and not yet current. */
export async function writeGeneration(dir: string, content: Omit<Generation, "name">): Promise<Generation> {
  const numbers = (await readdir(dir)).map((name) => Number(/^gen-(\d+)$/.exec(name)?.[1] ?? 0));
  const name = `gen-${Math.max(0, ...numbers) + 1}`;
  const folder = join(dir, name);
  await mkdir(folder, { mode: 0o700 });
  const write = (file: string, text: string) =>
    writeFile(join(folder, file), text, { mode: 0o600, flush: true });
  await write(FILES.config, content.config);
  await write(FILES.map, content.map);
  await write(FILES.https, content.https);
  await write(FILES.redirects, content.redirects);
  await write(FILES.saved, `${JSON.stringify(content.saved)}\n`);
  await syncFolder(folder);
  return { name, ...content };
}

/** Makes `name` current in one rename; the former current becomes `previous`, and older ones are removed. */
export async function switchTo(dir: string, name: string): Promise<void> {
  const before = await link(dir, "current");
  if (before === name) return;
  await replaceLink(join(dir, "current"), name);
  if (before !== undefined) await replaceLink(join(dir, "previous"), before);
  await syncFolder(dir);
  const keep = new Set([name, before]);
  for (const entry of await readdir(dir))
    if (/^gen-\d+$/.test(entry) && !keep.has(entry))
      await rm(join(dir, entry), { recursive: true, force: true });
}

/** Removes a generation that was refused. */
export async function discard(dir: string, name: string): Promise<void> {
  await rm(join(dir, name), { recursive: true, force: true });
}

async function link(dir: string, name: string): Promise<string | undefined> {
  try {
    return await readlink(join(dir, name));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
