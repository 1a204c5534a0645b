import { mkdir, open, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "@ployz/exec";
import { PloyzError } from "./error-codes.ts";
import type { ContainerSettings, Mount } from "./runtime.ts";
import { checkRights, type Forbids, invalid } from "./spec.ts";

/** open(2): a handle of any kind of file, without a right to read it. */
const O_PATH = 0o10000000;

type Binds = Pick<ContainerSettings, "binds">;

/** Where the instance's engine finds the bound paths: mounts of Ployz's own, in order of the paths inside. */
export function stagedBinds(dir: string | undefined, id: string, { binds = {} }: Binds): readonly Mount[] {
  const paths = Object.keys(binds).sort();
  if (paths.length === 0) return [];
  if (dir === undefined)
    throw invalid(id, "binds", "are not for this runtime, which was opened without them");
  return paths.map((target, index) => ({
    source: join(dir, id, String(index)),
    target,
    ...(binds[target]?.readOnly && { readOnly: true }),
  }));
}

/**
 * Mounts each path where `stagedBinds` says. A path is opened once, the opened file's own path is judged, and the opened file is mounted: a link that a
 * workload puts into a folder that it may write to leads nowhere else, at this start or later, when the engine starts the instance by itself.
 * @throws PloyzError `right_refused`, `mount_source_missing`
 */
export async function stageBinds(
  dir: string | undefined,
  id: string,
  settings: Binds,
  forbids: Forbids | undefined,
): Promise<void> {
  const staged = stagedBinds(dir, id, settings);
  if (dir === undefined || staged.length === 0) return;
  await unstageBinds(dir, id);
  await mkdir(join(dir, id), { recursive: true, mode: 0o700 });
  try {
    for (const bind of staged) await stage(id, bind, settings.binds?.[bind.target]?.source ?? "", forbids);
  } catch (error) {
    await unstageBinds(dir, id);
    throw error;
  }
}

async function stage(
  id: string,
  { source: point, target, readOnly }: Mount,
  source: string,
  forbids: Forbids | undefined,
): Promise<void> {
  const handle = await open(source, O_PATH).catch(() => {
    throw missing(id, source);
  });
  try {
    const real = await readlink(`/proc/self/fd/${handle.fd}`);
    const bind = { source: real, ...(readOnly && { readOnly: true as const }) };
    await checkRights(id, { binds: { [target]: bind } }, forbids);
    await ((await handle.stat()).isDirectory() ? mkdir(point, { mode: 0o700 }) : writeFile(point, ""));
    const opened = `/proc/${process.pid}/fd/${handle.fd}`;
    await run("mount", ["--no-canonicalize", "--rbind", opened, point]);
    // Else unmounting it would unmount the file systems below the machine's own path.
    await run("mount", ["--make-rprivate", point]);
    if (readOnly)
      for (const one of await mountPoints(point)) await run("mount", ["-o", "remount,bind,ro", one]);
  } finally {
    await handle.close();
  }
}

/** Repeating it changes nothing. */
export async function unstageBinds(dir: string | undefined, id: string): Promise<void> {
  if (dir === undefined) return;
  const folder = join(dir, id);
  for (const point of (await mountPoints(folder)).reverse()) await run("umount", ["-l", point]);
  // A file system that is still mounted there must not be emptied.
  if ((await mountPoints(folder)).length > 0) return;
  await rm(folder, { recursive: true, force: true });
}

/** Removes the mounts of all other instances. */
export async function tidyBinds(dir: string | undefined, known: ReadonlySet<string>): Promise<void> {
  if (dir === undefined) return;
  for (const id of await readdir(dir).catch(() => [])) if (!known.has(id)) await unstageBinds(dir, id);
}

/** At this path and below it, outer ones first. */
async function mountPoints(path: string): Promise<string[]> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  return lines.flatMap((line) => {
    const point = (line.split(" ")[4] ?? "").replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    return point === path || point.startsWith(`${path}/`) ? [point] : [];
  });
}

function missing(id: string, path: string): PloyzError {
  return new PloyzError({
    code: "mount_source_missing",
    message: `instance ${id}: ${path} is not on this machine`,
    hint: "create it before the instance",
    details: { path },
  });
}
