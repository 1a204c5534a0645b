import { chmod, lstat, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run, syncFolder, writeFileAtomic } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import { lowestFirst } from "./sort.ts";
import type { Layer, LayerStore, Root } from "./store.ts";

/**
 * Letters of a chain id that name its folder: as many as keep the mount options of 127 layers within a page (mount(2)), and still too many to be
 * found twice on purpose.
 */
const NAME_LETTERS = 24;
/** mount(8) of util-linux 2.39 and newer passes options one by one, at most 256 bytes each (fsconfig(2)). */
const ENVIRONMENT = { LC_ALL: "C", LIBMOUNT_FORCE_MOUNT2: "always" };

/**
 * Layers as folders: `layers/NAME/fs` has what the layer changes, in the format of overlayfs, and an instance's root is an overlay of them with a
 * folder of its own. Where the file system of `dir` cannot be the upper one of an overlay, each layer and each root is a whole copy.
 */
export function openFolderLayers(dir: string): LayerStore {
  const layers = join(dir, "layers");
  const making = join(dir, "making");
  const roots = join(dir, "roots");
  const nameOf = (chain: string) => chain.slice("sha256:".length, "sha256:".length + NAME_LETTERS);
  const layerAt = (chain: string) => join(layers, nameOf(chain));
  let overlays: Promise<boolean> | undefined;

  async function ready(): Promise<boolean> {
    for (const folder of [dir, layers, making, roots]) await mkdir(folder, { recursive: true, mode: 0o700 });
    overlays ??= probe(join(making, "probe"));
    return overlays;
  }

  /** The record of a layer; `undefined`: no such layer. */
  async function read(chain: string): Promise<Layer | undefined> {
    const record = await recordIn<Layer>(layerAt(chain));
    return record?.chain === chain ? record : undefined;
  }

  /** From the top down, as overlayfs wants them. */
  async function lowersOf(chain: string): Promise<readonly string[]> {
    const names: string[] = [];
    for (let next: string | undefined = chain; next !== undefined; ) {
      const layer: Layer | undefined = await read(next);
      if (layer === undefined) throw missing(next);
      names.push(`layers/${nameOf(next)}/fs`);
      next = layer.parent;
    }
    return names;
  }

  async function mount(chain: string, upper: string, work: string, merged: string): Promise<void> {
    const options = `lowerdir=${(await lowersOf(chain)).join(":")},upperdir=${upper},workdir=${work}`;
    const args = ["-t", "overlay", "overlay", "-o", options, merged];
    await run("mount", args, { cwd: dir, env: ENVIRONMENT });
  }

  const copy = (chain: string, target: string) =>
    run("cp", ["-a", "--reflink=auto", join(layerAt(chain), "fs"), target], { timeoutMs: COPY_MS });

  async function discard(folder: string): Promise<void> {
    await unmountBelow(folder);
    await rm(folder, { recursive: true, force: true });
  }

  const store: LayerStore = {
    has: async (chain) => (await read(chain)) !== undefined,
    async add({ chain, parent }, fill) {
      const asOverlay = await ready();
      if ((await read(chain)) !== undefined) return;
      const draft = join(making, nameOf(chain));
      await discard(draft);
      await mkdir(draft, { mode: 0o700 });
      try {
        const fs = join(draft, "fs");
        if (parent === undefined || asOverlay) {
          await mkdir(fs);
          await chmod(fs, 0o755);
        } else await copy(parent, fs);
        if (parent === undefined || !asOverlay) await fill(fs);
        else {
          const [work, merged] = [join(draft, "work"), join(draft, "merged")];
          await Promise.all([mkdir(work), mkdir(merged)]);
          await mount(parent, fs, work, merged);
          await fill(merged);
          await unmountBelow(draft);
          for (const folder of [work, merged]) await rm(folder, { recursive: true });
        }
        await writeFile(
          join(draft, RECORD),
          JSON.stringify({ chain, ...(parent !== undefined && { parent }) }),
        );
        await run("sync", ["-f", draft], { timeoutMs: COPY_MS });
        await rename(draft, layerAt(chain));
        await syncFolder(layers);
      } catch (error) {
        await discard(draft);
        throw error;
      }
    },
    async layers() {
      const records = await Promise.all(
        (await namesIn(layers)).map((name) => recordIn<Layer>(join(layers, name))),
      );
      return lowestFirst(records.filter((record) => record !== undefined));
    },
    async remove(chain) {
      const dependents = [
        ...(await store.layers()).filter(({ parent }) => parent === chain).map((layer) => layer.chain),
        ...(await store.roots()).filter((root) => root.chain === chain).map(({ id }) => id),
      ];
      if (dependents.length > 0)
        throw new PloyzError({
          code: "layer_needed",
          message: `the layer ${chain} is needed by ${dependents.slice(0, 3).join(", ")}`,
          details: { dependents },
        });
      await rm(layerAt(chain), { recursive: true, force: true });
    },
    async root(id, chain) {
      const asOverlay = await ready();
      const folder = join(roots, id);
      const merged = join(folder, "merged");
      const record = await recordIn<Root>(folder);
      if (record !== undefined && record.chain !== chain)
        throw new PloyzError({
          code: "layer_needed",
          message: `the root of ${id} is a copy of another image's files`,
          details: { dependents: [record.chain] },
        });
      if (record === undefined) {
        if ((await read(chain)) === undefined) throw missing(chain);
        await discard(folder);
        await mkdir(folder, { mode: 0o700 });
        if (asOverlay)
          await Promise.all(["upper", "work", "merged"].map((name) => mkdir(join(folder, name))));
        else await copy(chain, merged);
        // The root of an overlay has the mode of its upper folder.
        if (asOverlay)
          await chmod(join(folder, "upper"), (await lstat(join(layerAt(chain), "fs"))).mode & 0o7777);
        await writeFileAtomic(join(folder, RECORD), JSON.stringify({ id, chain }));
      }
      if (asOverlay && !(await mountsBelow(folder)).includes(merged))
        await mount(chain, `roots/${id}/upper`, `roots/${id}/work`, merged);
      return merged;
    },
    async roots() {
      const records = await Promise.all(
        (await namesIn(roots)).map((name) => recordIn<Root>(join(roots, name))),
      );
      return records.filter((record) => record !== undefined);
    },
    removeRoot: (id) => discard(join(roots, id)),
    async tidy() {
      for (const name of await namesIn(making)) await discard(join(making, name));
    },
  };
  return store;
}

const RECORD = "record.json";
const COPY_MS = 30 * 60_000;

/** Whether an overlay can be mounted on folders here: not where they are on an overlay themselves. */
async function probe(folder: string): Promise<boolean> {
  await unmountBelow(folder);
  await rm(folder, { recursive: true, force: true });
  for (const name of ["lower", "upper", "work", "merged"])
    await mkdir(join(folder, name), { recursive: true });
  const options = "lowerdir=lower,upperdir=upper,workdir=work";
  const { exitCode } = await run("mount", ["-t", "overlay", "overlay", "-o", options, "merged"], {
    ...{ cwd: folder, env: ENVIRONMENT },
    okExitCodes: Array.from({ length: 256 }, (_, code) => code),
  });
  await unmountBelow(folder);
  await rm(folder, { recursive: true, force: true });
  return exitCode === 0;
}

async function mountsBelow(folder: string): Promise<readonly string[]> {
  const mountinfo = await readFile("/proc/self/mountinfo", "utf8");
  return mountinfo
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((point) => point.startsWith(`${folder}/`));
}

async function unmountBelow(folder: string): Promise<void> {
  for (const point of [...(await mountsBelow(folder))].reverse()) await run("umount", ["-l", point]);
}

async function recordIn<T extends object>(folder: string): Promise<T | undefined> {
  const text = await readFile(join(folder, RECORD), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  });
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}

const missing = (chain: string) =>
  new PloyzError({
    code: "image_missing",
    message: `the layer ${chain} is not unpacked here`,
    hint: "run the same command again: it unpacks the image",
  });
