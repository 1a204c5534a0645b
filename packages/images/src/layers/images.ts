import { type ImageConfig, imageConfig } from "../config.ts";
import { PloyzError } from "../error-codes.ts";
import { diffIds, invalid } from "../manifest.ts";
import type { ImageStore } from "../store/store.ts";
import { chainIds } from "./chain.ts";
import type { Layer, LayerStore } from "./store.ts";
import { unpackLayer } from "./unpack.ts";

/** The images of a store as files: their layers unpacked, and copies of them for instances. */
export interface UnpackedImages {
  /** Unpacks the layers that are not here yet, each once, and returns the chain id of the highest. Progress counts compressed bytes. */
  unpack(
    digest: string,
    options: { readonly signal: AbortSignal; onProgress?(done: number, total: number): void },
  ): Promise<string>;
  /** The image's configuration: program, environment, user, ports. */
  config(digest: string): Promise<ImageConfig>;
  /** Chain ids of an image's layers, lowest first. */
  chainOf(digest: string): Promise<readonly string[]>;
  /** The layers that neither these chain ids nor a root needs, highest first. */
  unused(keep: ReadonlySet<string>): Promise<readonly Layer[]>;
  /** Removes the unused ones; returns what went. */
  removeUnused(keep: ReadonlySet<string>): Promise<readonly string[]>;
  readonly layers: LayerStore;
}

/** The images of a store, with their layers unpacked into `layers`. */
export function openUnpackedImages(
  store: Pick<ImageStore, "find" | "manifest" | "bytes" | "blobs">,
  layers: LayerStore,
): UnpackedImages {
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const next = turn.then(task, task);
    turn = next.catch(() => {});
    return next;
  };

  async function read(digest: string) {
    const entry = await store.find(digest);
    const manifest = await store.manifest(entry?.digest ?? digest);
    if (manifest === undefined)
      throw new PloyzError({
        code: "image_missing",
        message: `${digest} is not on this machine`,
        hint: "run the same command again: it brings the image here",
      });
    const config = await store.bytes(manifest.config.digest);
    const ids = diffIds(config);
    if (ids.length !== manifest.layers.length)
      throw invalid(
        `its configuration names ${ids.length} layers, and its manifest ${manifest.layers.length}`,
      );
    return { manifest, config, ids, chain: chainIds(ids) };
  }

  async function unused(keep: ReadonlySet<string>) {
    const all = await layers.layers();
    const parents = new Map(all.map(({ chain, parent }) => [chain, parent]));
    const needed = new Set<string>();
    for (const first of [...keep, ...(await layers.roots()).map(({ chain }) => chain)])
      for (let next: string | undefined = first; next !== undefined && !needed.has(next); ) {
        needed.add(next);
        next = parents.get(next);
      }
    return all.filter(({ chain }) => !needed.has(chain)).reverse();
  }

  return {
    layers,
    unpack: (digest, { signal, onProgress }) =>
      inTurn(async () => {
        const { manifest, ids, chain } = await read(digest);
        const missing: number[] = [];
        for (const [at, one] of chain.entries()) if (!(await layers.has(one))) missing.push(at);
        const sizeOf = (at: number) => 2 * (manifest.layers[at]?.size ?? 0); // read twice
        const total = missing.reduce((sum, at) => sum + sizeOf(at), 0);
        let done = 0;
        if (missing.length > 0) onProgress?.(0, total);
        for (const at of missing) {
          signal.throwIfAborted();
          const [layer, diffId, own] = [manifest.layers[at], ids[at], chain[at]];
          if (layer === undefined || diffId === undefined || own === undefined) continue;
          await layers.add({ chain: own, parent: chain[at - 1] }, (folder) =>
            unpackLayer({ diffId, open: () => store.blobs.read(layer.digest) }, folder, {
              signal,
              onBytes(count) {
                done += count;
                onProgress?.(done, total);
              },
            }),
          );
        }
        const top = chain.at(-1);
        if (top === undefined) throw invalid("it has no layers");
        return top;
      }),
    config: async (digest) => imageConfig((await read(digest)).config),
    chainOf: async (digest) => (await read(digest)).chain,
    unused,
    removeUnused: (keep) =>
      inTurn(async () => {
        await layers.tidy();
        const gone = await unused(keep);
        for (const { chain } of gone) await layers.remove(chain);
        return gone.map(({ chain }) => chain);
      }),
  };
}
