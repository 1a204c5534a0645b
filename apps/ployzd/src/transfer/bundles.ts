import { createHash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { access, mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ExecError, run } from "@ployz/exec";
import { DIGEST, LIMITS } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";

/** Content-addressed folders, each kept as the received tar and unpacked for the runtime. `digest` is the sha256 of the tar, in hex. */
export interface Bundles {
  has(digest: string): Promise<boolean>;
  /** The unpacked folder. */
  path(digest: string): string;
  read(digest: string): Readable;
  /** Stores a tar after verifying its digest. @throws PloyzError `digest_mismatch`, `bundle_invalid`, `disk_full`. */
  put(digest: string, tar: Readable): Promise<{ bytes: number }>;
  list(): Promise<readonly string[]>;
  /** Bytes of the tar and the folder, and when it arrived or was last asked for by a client. */
  usage(digest: string): Promise<{ readonly sizeBytes: number; readonly usedAtMs: number }>;
  /** A client that found it here will deploy it soon. */
  touch(digest: string): Promise<void>;
  remove(digest: string): Promise<void>;
  /** Removes partial bundles of a killed daemon. Call it before any `put`. */
  tidy(): Promise<void>;
}

/** Drops the sender's owners and set-uid bits; tar itself keeps every name and link inside the folder. */
const SAFELY = [
  "--no-same-owner",
  "--no-same-permissions",
  "--no-overwrite-dir",
  "--delay-directory-restore",
];

const BUNDLE = new RegExp(DIGEST);
/** The working folder of `put`: the final name plus twelve random digits. */
const UNFINISHED = /^[0-9a-f]{64}(?:\.tar)?\.[0-9a-f]{12}$/;

export function openBundles(dir: string): Bundles {
  const checked = (digest: string) => {
    const hex = digest.replace(/^sha256:/, "");
    if (!BUNDLE.test(`sha256:${hex}`))
      throw new PloyzError({ code: "invalid_input", message: "a bundle digest is 64 hexadecimal digits" });
    return hex;
  };
  const path = (digest: string) => join(dir, checked(digest));
  const tar = (digest: string) => join(dir, `${checked(digest)}.tar`);
  const has = (digest: string) =>
    access(path(digest)).then(
      () => true,
      () => false,
    );

  return {
    has,
    path,
    read: (digest) => createReadStream(tar(digest)),
    async put(digest, source) {
      await mkdir(dir, { recursive: true, mode: 0o711 });
      const mine = randomBytes(6).toString("hex");
      const incoming = `${tar(digest)}.${mine}`;
      const unpacked = `${path(digest)}.${mine}`;
      const hash = createHash("sha256");
      let bytes = 0;
      const counted = new Transform({
        transform(chunk: Buffer, _encoding, next) {
          hash.update(chunk);
          bytes += chunk.length;
          next(null, chunk);
        },
      });
      try {
        await pipeline(source, counted, createWriteStream(incoming, { mode: 0o600 }));
        const found = hash.digest("hex");
        if (found !== checked(digest)) {
          throw new PloyzError({
            code: "digest_mismatch",
            message: `the bundle's digest is ${found}, not ${checked(digest)}`,
            hint: "send it again",
          });
        }
        if (await has(digest)) return { bytes };
        await mkdir(unpacked, { mode: 0o755 });
        await run("tar", ["-xf", incoming, "-C", unpacked, ...SAFELY], {
          timeoutMs: 600_000,
          env: { LC_ALL: "C" },
        }).catch((error: unknown) => {
          if (isFull(error)) throw error;
          throw new PloyzError(
            { code: "bundle_invalid", message: "cannot unpack the bundle: it is not a valid tar" },
            { cause: error },
          );
        });
        await refuseOdd(unpacked);
        // By content alone, whatever the sender's umask and this daemon's: the service's user can read it.
        await run("chmod", ["-R", "u+rwX,go+rX,go-w,a-st", unpacked], { timeoutMs: 600_000 });
        await rename(incoming, tar(digest));
        await rename(unpacked, path(digest)).catch(async (error: NodeJS.ErrnoException) => {
          if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error; // another put finished first
        });
        return { bytes };
      } catch (error) {
        throw isFull(error) ? diskFull(path(digest), bytes, error) : error;
      } finally {
        await rm(incoming, { force: true });
        await remove(unpacked);
      }
    },
    async tidy() {
      const names = await readdir(dir).catch((): string[] => []);
      for (const name of names.filter((each) => UNFINISHED.test(each))) await remove(join(dir, name));
      // A removal was interrupted: its folder is gone.
      const whole = new Set<string>(names);
      const lone = names.filter((each: string) => each.endsWith(".tar") && !whole.has(each.slice(0, -4)));
      for (const name of lone) await rm(join(dir, name), { force: true });
    },
    async usage(digest) {
      const argv = ["-s", "-B1", "-c", "--", tar(digest), path(digest)];
      const { stdout } = await run("du", argv, { timeoutMs: 60_000 });
      const { mtimeMs } = await stat(tar(digest));
      return { sizeBytes: Number.parseInt(stdout.trim().split("\n").at(-1) ?? "0", 10), usedAtMs: mtimeMs };
    },
    async touch(digest) {
      const now = new Date();
      await utimes(tar(digest), now, now).catch(() => {}); // it is not here
    },
    async remove(digest) {
      const leaving = `${path(digest)}.${randomBytes(6).toString("hex")}`;
      await rename(path(digest), leaving).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
      });
      await rm(tar(digest), { force: true });
      await remove(leaving);
    },
    async list() {
      return (await readdir(dir).catch(() => [])).filter((name) => BUNDLE.test(`sha256:${name}`)).sort();
    },
  };
}

/** Of tar(1) in the C locale, which reports a part of a block that it could not write as such. */
const FULL = /No space left on device|Disk quota exceeded|Wrote only \d+ of \d+ bytes/;

/** Of this process, or of the program that unpacks. */
const isFull = (error: unknown): boolean =>
  ["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "") ||
  (error instanceof ExecError && FULL.test(error.stderr));

const diskFull = (path: string, received: number, cause: unknown) =>
  new PloyzError(
    {
      code: "disk_full",
      message: `no space left for the bundle ${path}: ${received} bytes of it had arrived, and it is kept packed and unpacked`,
      hint: `free at least ${2 * received} bytes on its file system: df -h ${dirname(path)}`,
      details: { path, needBytes: 2 * received },
    },
    { cause },
  );

/** Folders in one another, however many: rm(1) needs no path as long as they are deep. */
const remove = (path: string) => run("rm", ["-rf", "--", path], { timeoutMs: 600_000 });

/** A workload may be root in its namespaces: a device node in its folder would let it escape. A path that is too long is one that no program opens. */
async function refuseOdd(folder: string): Promise<void> {
  const first = async (...tests: readonly string[]) => {
    const argv = [folder, "-mindepth", "1", ...tests, "-printf", "%P", "-quit"];
    return (await run("find", argv, { timeoutMs: 600_000 })).stdout;
  };
  const odd = await first("!", "-type", "f", "!", "-type", "d", "!", "-type", "l");
  if (odd !== "")
    throw new PloyzError({
      code: "bundle_invalid",
      message: `the bundle holds ${JSON.stringify(odd)}, which is not a file, folder or link`,
      hint: "remove devices, sockets and pipes from the folder",
    });
  const deep = await first("-mindepth", String(LIMITS.bundleDepth + 1));
  if (deep !== "")
    throw new PloyzError({
      code: "bundle_invalid",
      message: `the bundle holds ${JSON.stringify(deep.slice(0, 80))}…, below more than ${LIMITS.bundleDepth} folders`,
      hint: "leave it out with .ployzignore",
    });
}
