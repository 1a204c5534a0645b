import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Pack, pack } from "tar-stream";
import { PloyzError } from "../../error-codes.ts";

/** A folder or tar to ship. The same content always gives the same digest. */
export interface Bundle {
  /** `sha256:…` of the tar. */
  readonly digest: string;
  /** The tar. May be called again. */
  read(): Readable;
}

interface Entry {
  readonly name: string;
  readonly path: string;
  readonly mode: number;
  readonly size: number;
  readonly kind: "file" | "directory" | "symlink";
  readonly linkname?: string;
}

const invalid = (message: string, hint: string) => new PloyzError({ code: "invalid_input", message, hint });

/** @throws PloyzError `invalid_input` for a path that does not exist or cannot be shipped. */
export async function openBundle(path: string): Promise<Bundle> {
  const stat = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    throw invalid(
      error.code === "ENOENT" ? "no such folder or tar" : `cannot be read (${error.code})`,
      "the path is relative to the manifest's folder",
    );
  });
  if (stat.isFile()) {
    const read = () => createReadStream(path);
    return { digest: await digestOf(read()), read };
  }
  if (!stat.isDirectory()) throw invalid("is neither a folder nor a tar", "name a folder");
  const entries = await list(path);
  const read = () => packed(entries);
  return { digest: await digestOf(read()), read };
}

async function digestOf(tar: Readable): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(tar, hash);
  return `sha256:${hash.digest("hex")}`;
}

async function list(root: string): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  async function walk(folder: string, prefix: string): Promise<void> {
    const names = (await readdir(folder)).sort((a, b) => (a < b ? -1 : 1));
    for (const name of names) {
      const entry = await read(root, join(folder, name), `${prefix}${name}`);
      entries.push(entry);
      if (entry.kind === "directory") await walk(entry.path, `${entry.name}/`);
    }
  }
  await walk(root, "");
  return entries;
}

async function read(root: string, path: string, name: string): Promise<Entry> {
  const stat = await lstat(path);
  const mode = stat.mode & 0o777;
  if (stat.isDirectory()) return { name, path, mode, size: 0, kind: "directory" };
  if (stat.isFile()) return { name, path, mode, size: stat.size, kind: "file" };
  if (!stat.isSymbolicLink())
    throw invalid(`${name} is a device, socket or pipe`, "a bundle can contain files, folders and links");
  const linkname = await readlink(path);
  const inside = relative(root, resolve(dirname(path), linkname));
  if (linkname.startsWith("/") || inside === ".." || inside.startsWith("../"))
    throw invalid(
      `${name} links to ${linkname}, outside the bundle`,
      "make the link relative, or replace it with the file",
    );
  return { name, path, mode: 0o777, size: 0, kind: "symlink", linkname };
}

function packed(entries: readonly Entry[]): Readable {
  const tar = pack();
  fill(tar, entries).then(
    () => tar.finalize(),
    (error: Error) => tar.destroy(error),
  );
  return Readable.from(tar, { objectMode: false });
}

async function fill(tar: Pack, entries: readonly Entry[]): Promise<void> {
  for (const { name, path, mode, size, kind, linkname } of entries) {
    const header = { name, mode, size, type: kind, mtime: new Date(0), uid: 0, gid: 0, uname: "", gname: "" };
    await new Promise<void>((done, fail) => {
      const ended = (error?: Error | null) => (error == null ? done() : fail(error));
      const entry = tar.entry(linkname === undefined ? header : { ...header, linkname }, ended);
      if (kind !== "file") return entry.end(undefined);
      const source = createReadStream(path);
      source.on("error", fail);
      source.pipe(entry);
    });
  }
}
