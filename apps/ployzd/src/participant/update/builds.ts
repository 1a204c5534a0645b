import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { lstat, mkdtemp, readdir, readFile, readlink, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { readFileIfThere, replaceLink, run } from "@ployz/exec";
import type { Releases } from "@ployz/primitives/protocol";
import { PloyzError } from "../../error-codes.ts";
import type { Payload } from "../../host/payload.ts";
import { isSigned, openReleases } from "../../host/release-key.ts";

/** The builds that are installed on this machine side by side, as install.sh lays them out. A build is named by its hash. */
export interface Builds {
  readonly releases: Releases;
  /** The current build, which new starts run. `undefined`: the daemon does not run from an installation. */
  current(): Promise<string | undefined>;
  has(build: string): Promise<boolean>;
  /** The archive's size, if it is of the running build: other machines get only that one. */
  offered(build: string): Promise<number | undefined>;
  read(): Readable;
  /** Verifies the archive and installs it beside the others, without switching to it. @throws PloyzError `payload_invalid`. */
  put(build: string, operation: string, archive: Readable): Promise<void>;
  remove(build: string, operation: string): Promise<void>;
  /** Removes builds other than the running, the current and this one, unless a program runs from them. */
  prune(kept: string): Promise<void>;
  /** Makes it the current build, atomically. */
  makeCurrent(build: string): Promise<void>;
  diskFreeBytes(): Promise<number>;
  /** The most space that `put` of this machine's own build takes during its work. */
  neededBytes(): Promise<number>;
}

const BUILD = /^[0-9a-f]{64}$/;
const MARGIN = 64 * 2 ** 20;

/** `releaseKey`: path of the key that has to have signed a build; where there is no such file, none has to. */
export function openBuilds(payload: Pick<Payload, "dir" | "build" | "tarball">, releaseKey?: string): Builds {
  const root = dirname(payload.dir);
  const prefix = dirname(dirname(root));
  const folder = (build: string) => {
    if (!BUILD.test(build))
      throw new PloyzError({ code: "invalid_input", message: "a build is 64 hexadecimal digits" });
    return join(root, build.slice(0, 12));
  };
  const buildIn = async (dir: string): Promise<string | undefined> => {
    const text = await readFile(join(dir, "version.json"), "utf8").catch(() => "{}");
    return (JSON.parse(text) as { readonly build?: string }).build;
  };
  const current = () => buildIn(join(root, "current"));
  const has = async (build: string) => (await buildIn(folder(build))) === build;

  return {
    releases: openReleases(releaseKey, payload),
    current,
    has,
    async offered(build) {
      if (build !== payload.build) return undefined;
      return (await stat(payload.tarball).catch(() => undefined))?.size;
    },
    read: () => createReadStream(payload.tarball, { highWaterMark: 1024 * 1024 }),
    async put(build, operation, archive) {
      const target = folder(build);
      const work = await mkdtemp(join(root, ".update-"));
      try {
        const tarball = join(work, "payload.tar.gz");
        await pipeline(archive, createWriteStream(tarball, { mode: 0o600 }));
        await run("tar", ["-xzf", tarball, "-C", work, "--no-same-owner"], { timeoutMs: 300_000 });
        const unpacked = join(work, "ployz");
        // The installer checks every file, itself included, against this list.
        const sums = await readFile(join(unpacked, "SHA256SUMS"));
        if (createHash("sha256").update(sums).digest("hex") !== build)
          throw new Error("its list of files belongs to another build");
        const key = releaseKey === undefined ? undefined : await readFileIfThere(releaseKey);
        const signature = await readFile(join(unpacked, "SHA256SUMS.sig")).catch(() => undefined);
        if (key !== undefined && !isSigned(sums, signature, key))
          throw new Error(`${releaseKey} did not sign it`);
        await run("sha256sum", ["--check", "--status", "SHA256SUMS"], { cwd: unpacked, timeoutMs: 120_000 });
        const args = ["--stage", "--tarball", tarball, "--operation", operation, "--prefix", prefix];
        // Checked above, with a key that may be elsewhere.
        const env = { PLOYZ_RELEASE_KEY: "" };
        await run(join(unpacked, "install.sh"), args, { timeoutMs: 300_000, env });
        if (!(await has(build))) throw new Error(`${target} is missing after the installation`);
      } catch (error) {
        throw new PloyzError(
          {
            code: "payload_invalid",
            message: `cannot install the build ${build.slice(0, 12)}: ${error instanceof Error ? error.message : String(error)}`,
            hint: "run the same command again",
          },
          { cause: error },
        );
      } finally {
        await rm(work, { recursive: true, force: true });
      }
    },
    async remove(build, operation) {
      const dir = folder(build);
      const by = (await readFile(join(dir, ".operation"), "utf8").catch(() => "")).trim();
      if (by !== operation || build === payload.build || (await current()) === build) return;
      await rm(dir, { recursive: true, force: true });
    },
    async prune(kept) {
      const stay = new Set([payload.build, kept, await current()].map((build) => build?.slice(0, 12)));
      const used = await runningFrom(root);
      const names = (await readdir(root)).filter((name) => /^[0-9a-f]{12}$/.test(name));
      const gone = names.filter((name) => !stay.has(name) && !used.has(name));
      await Promise.all(gone.map((name) => rm(join(root, name), { recursive: true, force: true })));
    },
    async makeCurrent(build) {
      const target = folder(build).slice(root.length + 1);
      const link = join(root, "current");
      if ((await readlink(link)) === target) return;
      await replaceLink(link, target);
    },
    async diskFreeBytes() {
      const { bavail, bsize } = await statfs(root);
      return bavail * bsize;
    },
    async neededBytes() {
      const entries = await readdir(payload.dir, { recursive: true });
      const sizes = await Promise.all(
        entries.map(async (entry) => {
          const found = await lstat(join(payload.dir, entry)).catch(() => undefined); // the compile cache changes
          return found?.isFile() === true ? found.size : 0;
        }),
      );
      // Archive and files, in the temporary folder and in the final one.
      return 2 * sizes.reduce((sum, size) => sum + size, 0) + MARGIN;
    },
  };
}

/** Folders below `root` that hold the program of a running process, in any namespace. */
async function runningFrom(root: string): Promise<ReadonlySet<string>> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const programs = await Promise.all(
    pids.map((pid) => readlink(`/proc/${pid}/exe`).catch(() => "")), // of the kernel, or gone meanwhile
  );
  return new Set(
    programs
      .filter((program) => program.startsWith(`${root}/`))
      .map((program) => program.slice(root.length + 1).split("/")[0] ?? ""),
  );
}
