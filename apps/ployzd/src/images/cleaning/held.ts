import { contentSize, type ImageStore } from "@ployz/images";
import type { Images } from "@ployz/runtime";
import type { Bundles } from "../../transfer/bundles.ts";
import type { Brought, BroughtImage } from "../brought.ts";
import type { Held } from "./content.ts";

export interface HeldDeps {
  readonly store: ImageStore;
  readonly engine: Images | undefined;
  readonly brought: Brought;
  readonly bundles: Bundles;
}

/** All images and bundles of this machine that Ployz keeps. Of the engine's only those that Ployz gave it. */
export async function heldContent({ store, engine, brought, bundles }: HeldDeps): Promise<readonly Held[]> {
  const entries = await store.entries();
  const arrived = new Map((await store.blobs.list()).map(({ digest, atMs }) => [digest, atMs]));
  const given = await brought.list();
  const stored = [...new Set(entries.map(({ digest }) => digest))].map(async (digest): Promise<Held> => {
    const same = entries.filter((one) => one.digest === digest);
    const config = (await store.manifest(digest))?.config.digest;
    const ids = given.flatMap((one) => (one.digest === digest ? [one.id] : []));
    return {
      ...{ kind: "image", digest, sizeBytes: await contentSize(store, digest) },
      aliases: [...new Set([digest, ...(config === undefined ? [] : [config]), ...ids])],
      names: same.flatMap(({ name }) => name ?? []),
      former: same.flatMap(({ former }) => former ?? []),
      atMs: Math.max(arrived.get(digest) ?? 0, ...same.map(({ at }) => Date.parse(at) || 0)),
    };
  });
  const archives = (await onlyGiven(engine, given))
    .filter(({ digest }) => !entries.some((entry) => entry.digest === digest))
    .map(({ digest, id, sizeBytes }): Held => {
      const aliases = [...new Set([digest, id])];
      return { kind: "image", digest, aliases, names: [], former: [], sizeBytes, atMs: 0 };
    });
  const packed = (await bundles.list()).map(async (digest): Promise<Held> => {
    const { sizeBytes, usedAtMs } = await bundles.usage(digest);
    const known = `sha256:${digest}`;
    return {
      ...{ kind: "bundle", digest: known, aliases: [known], names: [], former: [] },
      ...{ sizeBytes, atMs: usedAtMs },
    };
  });
  return [...(await Promise.all(stored)), ...archives, ...(await Promise.all(packed))];
}

/** The engine's images that have no names but those that Ployz gave them: only they go. */
export async function onlyGiven(
  engine: Images | undefined,
  given: readonly BroughtImage[],
): Promise<readonly (BroughtImage & { readonly sizeBytes: number })[]> {
  const all = new Map(((await engine?.list()) ?? []).map((image) => [image.id, image]));
  return given.flatMap((one) => {
    const image = all.get(one.id);
    const ours = image?.names.every((name) => one.names.includes(name)) === true;
    return image !== undefined && ours ? [{ ...one, sizeBytes: image.sizeBytes }] : [];
  });
}
