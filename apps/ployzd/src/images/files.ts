import {
  type ImageStore,
  openFolderLayers,
  openUnpackedImages,
  type UnpackedImages,
  within,
} from "@ployz/images";
import type { ImageFiles } from "@ployz/runtime";
import { type DatasetLayersOptions, openDatasetLayers } from "./datasets.ts";

/** Longer than the layers of any image take: a start that finds them missing unpacks them. */
const UNPACK_MS = 30 * 60_000;

/** The unpacked images of a machine of the process runtime: datasets where it has a pool for volumes, else folders. */
export function openUnpacked(
  store: ImageStore,
  { pool, mounts }: { readonly pool: DatasetLayersOptions["pool"] | undefined; readonly mounts: string },
): UnpackedImages {
  return openUnpackedImages(
    store,
    pool === undefined ? openFolderLayers(mounts) : openDatasetLayers({ pool, mounts }),
  );
}

/** `available`: false while the pool is not there. Roots are not swept then. */
export function imageFiles(unpacked: UnpackedImages, available: () => boolean): ImageFiles {
  const { layers } = unpacked;
  return {
    program: (image) => unpacked.config(image),
    async root(id, image) {
      const chain = await unpacked.unpack(image, { signal: AbortSignal.timeout(UNPACK_MS) });
      return layers.root(id, chain);
    },
    async roots() {
      // A sweep that is not possible now, such as on a full pool, must not keep instances from running.
      const roots = available() ? await layers.roots().catch(() => []) : [];
      return roots.map(({ id }) => id);
    },
    removeRoot: (id) => layers.removeRoot(id),
    within: (root, path) => within(root, path, { follow: true }),
  };
}
