import { createHash } from "node:crypto";
import { contentSize, type ImageStore, type Registry, type UnpackedImages } from "@ployz/images";
import type { Commands, Json } from "@ployz/primitives/protocol";
import type { Runtime } from "@ployz/runtime";
import { ensureImage } from "./ensure.ts";
import { imagePeers, type PeerDeps } from "./peers.ts";
import { platformOf } from "./registries.ts";
import { resolveHere, resolveRemote } from "./resolve.ts";

export interface ImageDeps extends PeerDeps {
  readonly runtime: Pick<Runtime, "images" | "facts">;
  readonly store: ImageStore;
  /** Absent with Docker. */
  readonly unpacked: UnpackedImages | undefined;
  /** The client of registries, with the cluster's credentials. */
  registry(): Promise<Registry>;
  log(error: unknown): void;
}

type ImageHandlers = {
  readonly [N in "image.resolve" | "image.list" | "image.ensure"]: (
    args: Commands[N]["args"],
    context: { readonly signal: AbortSignal; progress(value: Json): void },
  ) => Promise<Commands[N]["out"]>;
};

/** A machine's images: its store, and the engine that pulls from it. */
export function imageHandlers(deps: ImageDeps): ImageHandlers {
  const { runtime, store, unpacked, registry, log } = deps;
  const peers = imagePeers(deps);
  const engine = runtime.images;
  const turn = createHash("sha256").update(deps.self).digest()[0] ?? 0;
  return {
    "image.resolve": async ({ ref, name, pull }, { signal }) => {
      const here = pull === "always" ? undefined : await resolveHere(ref, store, engine);
      if (here !== undefined || pull === "never") return here ?? null;
      const now = () => new Date().toISOString();
      const platform = await platformOf(runtime);
      return (await resolveRemote({ ref, name }, await registry(), { platform, now, signal })) ?? null;
    },
    "image.list": async () => ({
      images: await Promise.all(
        (await store.entries()).map(async ({ digest, name, at }) => ({
          ...{ digest, at, sizeBytes: await contentSize(store, digest) },
          ...(name !== undefined && { name }),
        })),
      ),
    }),
    "image.ensure": async (wanted, context) =>
      ensureImage(
        { store, unpacked, engine, registry, peers, log, turn, platform: await platformOf(runtime) },
        wanted,
        context,
      ),
  };
}
