import { createHash } from "node:crypto";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { PloyzError } from "../error-codes.ts";
import type { Restic } from "./restic.ts";

/** What a tree holds: the sum does not depend on the order, so that neither side is kept in memory. */
export interface Tally {
  files: number;
  bytes: number;
  entries: number;
  sum: bigint;
}

/** An entry as both sides know it. */
interface Entry {
  readonly path: string;
  readonly type: "file" | "dir" | "symlink" | "other";
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds with nine decimals; of files only, since a folder's changes with its entries. */
  readonly mtime: string;
}

/** A node as `restic ls --json` lists it. Its mode has Go's bits: https://pkg.go.dev/io/fs#FileMode. */
interface Node {
  readonly struct_type?: string;
  readonly type?: string;
  readonly path?: string;
  readonly size?: number;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: string;
}

const SUM_BITS = 128n;
const SLASH = Buffer.from("/");
const SIGN_EVERY = 10_000;

/**
 * Compares a restored folder with the list of its backup: names, types, sizes, owners, modes and times. The contents are what restic has
 * verified as it wrote them. `sign`: called meanwhile, to keep the call alive.
 * @throws PloyzError `backup_differs`.
 */
export async function compareBackup(
  restic: Restic,
  { backup, path }: { readonly backup: string; readonly path: string },
  { signal, sign }: { readonly signal: AbortSignal; readonly sign: (files: number) => void },
): Promise<{ files: number; bytes: number }> {
  const listed = emptyTally();
  await restic.follow(["ls", "--json", "--no-lock", "--no-cache", backup], {
    signal,
    line(text) {
      const entry = entryOf(text);
      if (entry !== undefined) add(listed, entry);
      if (listed.entries % SIGN_EVERY === 0) sign(listed.files);
    },
  });
  const present = emptyTally();
  await walk(Buffer.from(join(path, "data")), "/data", async (entry) => {
    signal.throwIfAborted();
    add(present, entry);
    if (present.entries % SIGN_EVERY === 0) sign(present.files);
  });
  const { files, bytes, entries, sum } = listed;
  if (entries !== present.entries || bytes !== present.bytes || sum !== present.sum)
    throw new PloyzError({
      code: "backup_differs",
      message: `the backup ${backup.slice(0, 8)} lists ${entries} entries with ${bytes} bytes, and ${present.entries} with ${present.bytes} were restored${entries === present.entries && bytes === present.bytes ? ": a name, an owner, a mode or a time differs" : ""}`,
      hint: "do not rely on this backup: make another one, and verify it",
    });
  return { files, bytes };
}

export const emptyTally = (): Tally => ({ files: 0, bytes: 0, entries: 0, sum: 0n });

/** Adds an entry. */
export function add(tally: Tally, { path, type, size, mode, uid, gid, mtime }: Entry): void {
  const hash = createHash("sha256")
    .update(JSON.stringify([path, type, size, mode, uid, gid, mtime]))
    .digest("hex");
  tally.entries += 1;
  tally.sum = BigInt.asUintN(Number(SUM_BITS), tally.sum + BigInt(`0x${hash.slice(0, 32)}`));
  if (type !== "file") return;
  tally.files += 1;
  tally.bytes += size;
}

/** Bytes of a name that are no UTF-8 become one letter on both sides. */
const pathOf = (path: string): string => path.replaceAll(/\uFFFD+/g, "\uFFFD");

/** An entry of the data in a line of `restic ls --json`; sockets are not restored. Pure. */
export function entryOf(line: string): Entry | undefined {
  const {
    struct_type,
    type = "",
    path = "",
    size = 0,
    mode = 0,
    uid = 0,
    gid = 0,
    mtime = "",
  } = nodeOf(line);
  if (struct_type !== "node" || type === "socket" || !/^\/data(\/|$)/.test(path)) return undefined;
  const special = (bit: number, unix: number) => ((mode >>> bit) & 1) * unix;
  const known = type === "file" || type === "dir" || type === "symlink" ? type : "other";
  return {
    ...{ path: pathOf(path), type: known, size: known === "file" ? size : 0, uid, gid },
    mode:
      known === "symlink"
        ? 0
        : (mode & 0o777) + special(23, 0o4000) + special(22, 0o2000) + special(20, 0o1000),
    mtime: known === "file" ? nanoseconds(mtime) : "",
  };
}

function nodeOf(line: string): Node {
  try {
    return JSON.parse(line) as Node;
  } catch (cause) {
    throw new PloyzError(
      {
        code: "backup_failed",
        message: `restic lists something that is no JSON: ${line.slice(0, 60)}`,
        hint: "run the same command again",
      },
      { cause },
    );
  }
}

/** RFC 3339 as nanoseconds since the epoch. */
function nanoseconds(time: string): string {
  const [, whole = "", fraction = "", zone = ""] =
    /^([^.Z+]+?)(?:\.([0-9]+))?(Z|[+-][0-9:]+)$/.exec(time) ?? [];
  const seconds = BigInt(Math.floor(Date.parse(`${whole}${zone}`) / 1000));
  return String(seconds * 1_000_000_000n + BigInt(fraction.padEnd(9, "0").slice(0, 9)));
}

/** Names are bytes: those of an old file system are no UTF-8. */
async function walk(real: Buffer, path: string, found: (entry: Entry) => Promise<void>): Promise<void> {
  const stats = await lstat(real, { bigint: true });
  if (stats.isSocket()) return;
  const type = stats.isFile()
    ? "file"
    : stats.isDirectory()
      ? "dir"
      : stats.isSymbolicLink()
        ? "symlink"
        : "other";
  await found({
    ...{ path: pathOf(path), type, size: type === "file" ? Number(stats.size) : 0 },
    ...{ uid: Number(stats.uid), gid: Number(stats.gid) },
    mode: type === "symlink" ? 0 : Number(stats.mode & 0o7777n),
    mtime: type === "file" ? String(stats.mtimeNs) : "",
  });
  if (type !== "dir") return;
  // Not by opendir: where a file system names no types, it joins names that are bytes as if they were text.
  for (const name of await readdir(real, { encoding: "buffer" }))
    await walk(Buffer.concat([real, SLASH, name]), `${path}/${name.toString("utf8")}`, found);
}
