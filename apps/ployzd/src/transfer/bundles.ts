import { createHash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { access, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { run } from "@ployz/exec";
import { DIGEST } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";

/** Content-addressed folders, each kept as the received tar and unpacked for the runtime. `digest` is the sha256 of the tar, in hex. */
export interface Bundles {
  has(digest: string): Promise<boolean>;
  /** The unpacked folder. */
  path(digest: string): string;
  read(digest: string): Readable;
  /** Stores a tar after verifying its digest. @throws PloyzError `digest_mismatch`, `bundle_invalid`. */
  put(digest: string, tar: Readable): Promise<{ bytes: number }>;
  list(): Promise<readonly string[]>;
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
        }).catch((error: unknown) => {
          throw new PloyzError(
            { code: "bundle_invalid", message: "cannot unpack the bundle: it is not a valid tar" },
            { cause: error },
          );
        });
        await refuseDevices(unpacked);
        await rename(incoming, tar(digest));
        await rename(unpacked, path(digest)).catch(async (error: NodeJS.ErrnoException) => {
          if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error; // another put finished first
        });
        return { bytes };
      } finally {
        await rm(incoming, { force: true });
        await rm(unpacked, { recursive: true, force: true });
      }
    },
    async tidy() {
      const names = await readdir(dir).catch(() => []);
      for (const name of names.filter((each) => UNFINISHED.test(each)))
        await rm(join(dir, name), { recursive: true, force: true });
    },
    async list() {
      return (await readdir(dir).catch(() => [])).filter((name) => BUNDLE.test(`sha256:${name}`)).sort();
    },
  };
}

/** A workload may be root in its namespaces: a device node in its folder would let it escape. */
async function refuseDevices(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const odd = entries.find((entry) => !entry.isFile() && !entry.isDirectory() && !entry.isSymbolicLink());
  if (odd === undefined) return;
  throw new PloyzError({
    code: "bundle_invalid",
    message: `the bundle holds ${JSON.stringify(odd.name)}, which is not a file, folder or link`,
    hint: "remove devices, sockets and pipes from the folder",
  });
}
