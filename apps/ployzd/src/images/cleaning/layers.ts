import type { UnpackedImages } from "@ployz/images";

/** Unpacked layers of images, where a machine has them. */
export interface Layers {
  /** Bytes that they take. */
  usedBytes(): Promise<number>;
  /** Bytes that go when these images are the only ones that stay. */
  unreferencedBytes(images: readonly string[]): Promise<number>;
  /** Removes those that none of these images (by manifest) and no instance needs. Resolves with the bytes that were freed. */
  removeUnreferenced(images: readonly string[]): Promise<number>;
}

type Unpacked = Pick<UnpackedImages, "chainOf" | "unused" | "removeUnused"> & {
  readonly layers: Pick<UnpackedImages["layers"], "layers">;
};

/** Those of the process runtime. Without their pool nothing of them is removed. */
export function unpackedLayers(unpacked: Unpacked, log: (error: unknown) => void): Layers {
  const all = () =>
    unpacked.layers.layers().catch((error: unknown) => {
      log(error);
      return [];
    });
  const bytesOf = (some: readonly { readonly bytes?: number }[]) =>
    some.reduce((sum, { bytes = 0 }) => sum + bytes, 0);
  const chainsOf = async (images: readonly string[]) =>
    new Set((await Promise.all(images.map((digest) => unpacked.chainOf(digest)))).flat());
  return {
    usedBytes: async () => bytesOf(await all()),
    unreferencedBytes: async (images) =>
      (await all()).length === 0 ? 0 : bytesOf(await unpacked.unused(await chainsOf(images))),
    async removeUnreferenced(images) {
      const before = await all();
      if (before.length === 0) return 0;
      const removed = new Set(await unpacked.removeUnused(await chainsOf(images)));
      return bytesOf(before.filter(({ chain }) => removed.has(chain)));
    },
  };
}
