import type { UnpackedImages } from "@ployz/images";

/** Unpacked layers of images, where a machine has them. */
export interface Layers {
  /** Bytes that they take. */
  usedBytes(): Promise<number>;
  /** Removes those that none of these images (by manifest) and no instance needs. Resolves with the bytes that were freed. */
  removeUnreferenced(images: readonly string[]): Promise<number>;
}

type Unpacked = Pick<UnpackedImages, "chainOf" | "removeUnused"> & {
  readonly layers: Pick<UnpackedImages["layers"], "layers">;
};

/** Those of the process runtime. Without their pool nothing of them is removed. */
export function unpackedLayers(unpacked: Unpacked, log: (error: unknown) => void): Layers {
  const all = () =>
    unpacked.layers.layers().catch((error: unknown) => {
      log(error);
      return [];
    });
  return {
    usedBytes: async () => (await all()).reduce((sum, { bytes = 0 }) => sum + bytes, 0),
    async removeUnreferenced(images) {
      const before = await all();
      if (before.length === 0) return 0;
      const chains = await Promise.all(images.map((digest) => unpacked.chainOf(digest)));
      const removed = new Set(await unpacked.removeUnused(new Set(chains.flat())));
      return before.reduce((sum, { chain, bytes = 0 }) => sum + (removed.has(chain) ? bytes : 0), 0);
    },
  };
}
