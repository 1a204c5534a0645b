import type { Layer, UnpackedImages } from "@ployz/images";
import { expect, it } from "vitest";
import { unpackedLayers } from "./layers.ts";

const chains: Readonly<Record<string, readonly string[]>> = { v1: ["base", "one"], v2: ["base", "two"] };

function unpacked(layers: () => Promise<readonly Layer[]>) {
  const kept: ReadonlySet<string>[] = [];
  const images: Pick<UnpackedImages, "chainOf" | "unused" | "removeUnused"> & {
    layers: Pick<UnpackedImages["layers"], "layers">;
  } = {
    chainOf: async (digest) => chains[digest] ?? [],
    unused: async (keep) => (await layers()).filter(({ chain }) => !keep.has(chain)),
    removeUnused: async (keep) => {
      kept.push(keep);
      return (await layers()).map(({ chain }) => chain).filter((chain) => !keep.has(chain));
    },
    layers: { layers },
  };
  return { kept, images };
}

it("layers of the images that stay are kept, and the others counted as freed", async () => {
  const { images, kept } = unpacked(async () => [
    { chain: "base", bytes: 100 },
    { chain: "one", parent: "base", bytes: 7 },
    { chain: "two", parent: "base", bytes: 5 },
  ]);
  const layers = unpackedLayers(images, () => {});
  expect(await layers.usedBytes()).toBe(112);
  expect(await layers.unreferencedBytes(["v2"])).toBe(7);
  expect(kept).toEqual([]);
  expect(await layers.removeUnreferenced(["v2"])).toBe(7);
  expect(kept).toEqual([new Set(["base", "two"])]);
});

it("without their pool nothing of them is removed", async () => {
  const errors: unknown[] = [];
  const { images, kept } = unpacked(async () => Promise.reject(new Error("no pool")));
  const layers = unpackedLayers(images, (error) => errors.push(error));
  expect([
    await layers.usedBytes(),
    await layers.unreferencedBytes([]),
    await layers.removeUnreferenced([]),
  ]).toEqual([0, 0, 0]);
  expect([kept, errors.length]).toEqual([[], 3]);
});
