import { constants, type Stats } from "node:fs";
import { lstat, open, readdir, readFile, readlink } from "node:fs/promises";
import { posix } from "node:path";
import { LIMITS } from "@ployz/primitives/protocol";
import ignore from "ignore";
import { PloyzError } from "../../error-codes.ts";
import { whyUnreadable } from "../../files.ts";
import { END, padding, type TarEntry, tarHeader } from "./tar.ts";

/** Paths and names are latin1 strings that stand for bytes: a name that is no UTF-8 arrives as it is. */
const bytes = (path: string): Buffer => Buffer.from(path, "latin1");
const shown = (path: string): string => bytes(path).toString("utf8");

type Ignored = (name: string, folder: boolean) => boolean;

export const invalid = (message: string, hint: string) =>
  new PloyzError({ code: "invalid_input", message, hint });

/**
 * The folder as a tar, read once: a file has the bytes and the size that it has when its turn comes. The same names, contents and execute
 * bits give the same bytes. @throws PloyzError `invalid_input` naming the file that cannot be shipped.
 */
export async function* packFolder(path: string, counted: (file: TarEntry) => void): AsyncGenerator<Buffer> {
  const root = Buffer.from(path).toString("latin1");
  for await (const name of namesIn(root, "", await ignoredIn(path))) yield* packEntry(root, name, counted);
  yield END;
}

/** Sorted by bytes, each folder before its contents. */
async function* namesIn(root: string, prefix: string, ignored: Ignored): AsyncGenerator<string> {
  const entries = await readdir(bytes(`${root}/${prefix}`), {
    encoding: "buffer",
    withFileTypes: true,
  }).catch((error: NodeJS.ErrnoException) => unreadable(prefix.slice(0, -1), error));
  const names = entries
    .map((entry) => ({ name: prefix + entry.name.toString("latin1"), folder: entry.isDirectory() }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, folder } of names) {
    if (ignored(shown(name), folder)) continue;
    if (name.length > LIMITS.bundlePath || name.split("/").length > LIMITS.bundleDepth)
      throw invalid(
        `${shown(name).slice(0, 80)}… is too deep: at most ${LIMITS.bundleDepth} folders and ${LIMITS.bundlePath} bytes are shipped`,
        "leave it out with .ployzignore",
      );
    yield name;
    if (folder) yield* namesIn(root, `${name}/`, ignored);
  }
}

async function* packEntry(
  root: string,
  name: string,
  counted: (file: TarEntry) => void,
): AsyncGenerator<Buffer> {
  const path = bytes(`${root}/${name}`);
  const seen = await lstat(path).catch((error: NodeJS.ErrnoException) => unreadable(name, error));
  if (seen.isDirectory()) yield tarHeader({ name, kind: "directory", executable: true, size: 0 });
  else if (seen.isSymbolicLink()) yield packLink(root, name, await targetOf(path, name));
  else if (seen.isFile()) yield* packFile(path, name, counted);
  else
    throw invalid(
      `${shown(name)} is a device, socket or pipe`,
      "a bundle can contain files, folders and links",
    );
}

const targetOf = (path: Buffer, name: string): Promise<Buffer> =>
  readlink(path, { encoding: "buffer" }).catch((error: NodeJS.ErrnoException) => unreadable(name, error));

function packLink(root: string, name: string, target: Buffer): Buffer {
  const linkname = target.toString("latin1");
  const inside = posix.relative(root, posix.resolve(posix.dirname(`${root}/${name}`), linkname));
  if (linkname.startsWith("/") || inside === ".." || inside.startsWith("../"))
    throw invalid(
      `${shown(name)} links to ${shown(linkname)}, outside the bundle`,
      "make the link relative, or replace it with the file",
    );
  return tarHeader({ name, kind: "symlink", executable: true, size: 0, linkname });
}

async function* packFile(
  path: Buffer,
  name: string,
  counted: (file: TarEntry) => void,
): AsyncGenerator<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(
    (error: NodeJS.ErrnoException) => unreadable(name, error),
  );
  try {
    const { size, mode }: Stats = await file.stat();
    const entry: TarEntry = { name, kind: "file", executable: (mode & 0o100) !== 0, size };
    counted(entry);
    yield tarHeader(entry);
    let left = size;
    // Later lines of a log belong to the next deploy.
    const content = file.createReadStream({ start: 0, end: Math.max(0, size - 1), autoClose: false });
    if (size > 0)
      for await (const chunk of content as AsyncIterable<Buffer>) {
        left -= chunk.length;
        yield chunk;
      }
    if (left > 0)
      throw invalid(
        `${shown(name)} became shorter while it was read`,
        "run the command again when nothing writes to it",
      );
    yield padding(size);
  } finally {
    await file.close();
  }
}

/** By `.ployzignore`, as git reads its own; else by `.dockerignore`, whose patterns begin at the root. `.git` is never shipped. */
async function ignoredIn(root: string): Promise<Ignored> {
  const read = (name: string) =>
    readFile(posix.join(root, name), "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      return unreadable(name, error);
    });
  const rules = ignore({ ignorecase: false });
  const own = await read(".ployzignore");
  if (own !== undefined) rules.add(own);
  else rules.add(fromRoot((await read(".dockerignore")) ?? ""));
  return (name, folder) => name.split("/").at(-1) === ".git" || rules.ignores(folder ? `${name}/` : name);
}

const fromRoot = (text: string): string =>
  text.replace(/^(!?)(?:\.?\/)?(?=[^#\s/])/gm, (_all, not: string) => `${not}/`);

function unreadable(name: string, error: NodeJS.ErrnoException): never {
  const why = error.code === "ENOENT" ? "vanished while the folder was read" : whyUnreadable(error);
  throw invalid(
    `${name === "" ? "the folder" : shown(name)}: ${why}`,
    "make it readable, or leave it out with .ployzignore",
  );
}
