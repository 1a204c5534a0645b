import { createHash, type Hash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { copyFile, mkdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { pipeline, Readable, type Transform, type Writable } from "node:stream";
import * as zlib from "node:zlib";
import { findProgram, run, spawnStream } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import { invalid } from "../manifest.ts";
import { applyWhiteouts, makeWay, unescaped, type Whiteout, whiteoutOf } from "./whiteouts.ts";

export interface UnpackOptions {
  readonly signal: AbortSignal;
  /** Compressed bytes that were read. The layer is read twice. */
  onBytes?(count: number): void;
}

/** Of names in the C locale, see `unescaped`. `TZ` because tar looks at the machine's time zone otherwise. */
const ENVIRONMENT = { LC_ALL: "C", TZ: "UTC0" };
const LISTING = ["-P", "-t", "-f", "-", "--quoting-style=escape"];
/** `-P`: names as they are, since tar's root is the image's. `trusted` belongs to the machine's own overlays. */
const EXTRACTING = [
  ...["-P", "-x", "-p", "-f", "-", "-C", "/", "--numeric-owner", "--delay-directory-restore"],
  ...["--exclude=.wh.*", "--xattrs", "--xattrs-include=*", "--xattrs-exclude=trusted.*"],
  ...["--warning=no-timestamp", "--warning=no-xattr-write", "--warning=no-unknown-keyword"],
];

/**
 * Applies a layer to the files of the layers below it, by the rules of https://github.com/opencontainers/image-spec/blob/main/layer.md. GNU tar
 * extracts, with the image as its root (chroot(2)), so that no link and no name in the layer leads out of it.
 * @throws PloyzError `image_invalid`, `no_space`
 */
export async function unpackLayer(
  layer: { readonly diffId: string; open(): Readable },
  root: string,
  { signal, onBytes }: UnpackOptions,
): Promise<void> {
  const hash = createHash("sha256");
  const counted = () => uncompressed(layer.open(), onBytes);
  const { whiteouts, files } = await entriesIn(await counted(), hash, signal);
  const found = `sha256:${hash.digest("hex")}`;
  if (found !== layer.diffId)
    throw invalid(`its configuration says that a layer is ${layer.diffId}, and it is ${found}`);
  await applyWhiteouts(root, whiteouts);
  await makeWay(root, files);
  // The maker of a layer cannot guess the name.
  const folder = `.unpack-${randomBytes(16).toString("hex")}`;
  const inside = join(root, folder);
  try {
    const { loader, argv } = await placeTar(root, folder);
    await tar("chroot", [root, loader, ...argv, ...EXTRACTING], await counted(), { signal });
  } finally {
    await rm(inside, { recursive: true, force: true });
  }
}

/** tar ends the name of a folder with a slash. */
async function entriesIn(source: Readable, hash: Hash, signal: AbortSignal) {
  const whiteouts: Whiteout[] = [];
  const files: string[] = [];
  await tar("tar", LISTING, source, {
    ...{ signal, hash },
    onLine(line) {
      const name = unescaped(line);
      const whiteout = whiteoutOf(name);
      if (whiteout !== undefined) whiteouts.push(whiteout);
      else if (!name.endsWith("/")) files.push(name);
    },
  });
  return { whiteouts, files };
}

/** tar with the libraries that it is linked to, in a folder of the root; how to run it there. */
async function placeTar(root: string, folder: string) {
  const program = (await findProgram("tar")) ?? "/usr/bin/tar";
  const { stdout } = await run("ldd", [program], { env: ENVIRONMENT });
  const libraries = [...new Set(stdout.match(/\/\S+/g) ?? [])];
  const loader = libraries.find((path) => /\/ld-[^/]*$/.test(path));
  if (loader === undefined)
    throw new PloyzError({
      code: "unpacker_unusable",
      message: `${program} does not name its loader: ${stdout.trim().slice(0, 200)}`,
      hint: "install GNU tar: apt-get install tar libc-bin",
    });
  await mkdir(join(root, folder), { mode: 0o700 });
  for (const path of [program, ...libraries]) await copyFile(path, join(root, folder, basename(path)));
  const at = (path: string) => `/${folder}/${basename(path)}`;
  return { loader: at(loader), argv: ["--library-path", `/${folder}`, at(program)] };
}

interface TarOptions {
  readonly signal: AbortSignal;
  readonly hash?: Hash;
  onLine?(line: string): void;
}

async function tar(
  program: string,
  args: readonly string[],
  source: Readable,
  { signal, hash, onLine }: TarOptions,
): Promise<void> {
  const child = spawnStream(program, args, { env: ENVIRONMENT, signal });
  const listed = (async () => {
    for await (const line of createInterface({ input: child.stdout })) onLine?.(line);
  })();
  // A fault of the source, or of a name in it, is the cause; that tar then ends early is its consequence.
  const fed = feed(source, child.stdin, hash);
  try {
    await Promise.all([fed, listed]);
    await child.done;
  } catch (error) {
    child.kill("SIGKILL");
    source.destroy();
    await Promise.allSettled([fed, listed, child.done]);
    signal.throwIfAborted();
    throw refused(error);
  }
}

/** All of the source is read, also what comes after the archive's end. */
async function feed(source: Readable, stdin: Writable, hash: Hash | undefined): Promise<void> {
  let open = true;
  const closed = once(stdin, "close").then(
    () => {},
    () => {},
  );
  stdin
    .on("error", () => {})
    .on("close", () => {
      open = false;
    });
  for await (const chunk of source as AsyncIterable<Buffer>) {
    hash?.update(chunk);
    if (open && !stdin.write(chunk)) {
      const drained = new AbortController();
      await Promise.race([once(stdin, "drain", { signal: drained.signal }).catch(() => {}), closed]);
      drained.abort();
    }
  }
  stdin.end();
}

function refused(error: unknown): unknown {
  const { code, stderr } = error as { readonly code?: string; readonly stderr?: string };
  if (code === "exec_failed" && stderr !== undefined) {
    const why = stderr
      .trim()
      .split("\n")
      .slice(0, 3)
      .join("; ")
      .replaceAll(/\/?\.unpack-[0-9a-f]+\//g, "");
    if (/No space left|Disk quota exceeded/.test(stderr))
      return new PloyzError(
        {
          code: "no_space",
          message: `no space is left to unpack an image: ${why}`,
          hint: "free some space on that disk, then run the same command again",
        },
        { cause: error },
      );
    return invalid(`its layer cannot be unpacked: ${why}`);
  }
  if (code?.startsWith("Z_") || code?.startsWith("ERR_ZSTD") || code?.startsWith("ZSTD_"))
    return invalid(`its layer cannot be decompressed: ${(error as Error).message}`);
  return error;
}

/** By its first bytes, whatever its media type says: gzip (RFC 1952), zstd (RFC 8878), else a plain tar. */
async function uncompressed(
  blob: Readable,
  onBytes: ((count: number) => void) | undefined,
): Promise<Readable> {
  const chunks = blob[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
  const first = await chunks.next();
  const counted = async function* () {
    try {
      for (let next = first; next.done !== true; next = await chunks.next()) {
        onBytes?.(next.value.length);
        yield next.value;
      }
    } finally {
      blob.destroy();
    }
  };
  const input = Readable.from(counted(), { objectMode: false });
  const magic = Buffer.concat([first.value ?? Buffer.alloc(0), Buffer.alloc(4)]);
  if (magic.readUInt16BE(0) === GZIP) return through(input, zlib.createGunzip());
  if (magic.readUInt32BE(0) !== ZSTD) return input;
  if (!("createZstdDecompress" in zlib))
    throw invalid("its layer is compressed with zstd, which this version of Node cannot read");
  return through(input, zlib.createZstdDecompress());
}

const GZIP = 0x1f8b;
const ZSTD = 0x28b52ffd;

/** An error of the input ends the reading of the output. */
const through = (input: Readable, decompress: Transform): Readable => pipeline(input, decompress, () => {});
