import { contentSize, type ImageStore, type Registry, type UnpackedImages } from "@ployz/images";
import type { Commands, ImageCommands, Json } from "@ployz/primitives/protocol";
import type { Runtime } from "@ployz/runtime";
import type { Brought } from "./brought.ts";
import type { Cleaning } from "./cleaning/open.ts";
import { ensureImage } from "./ensure.ts";
import { inspectImage } from "./inspect.ts";
import { imagePeers, type PeerDeps } from "./peers.ts";
import { platformOf } from "./registries.ts";
import { resolveHere, resolveRemote } from "./resolve.ts";
import type { Wanted } from "./wanted.ts";

export interface ImageDeps extends PeerDeps {
  readonly runtime: Pick<Runtime, "images" | "facts">;
  readonly store: ImageStore;
  /** Absent with Docker. */
  readonly unpacked: UnpackedImages | undefined;
  readonly brought: Brought;
  readonly wanted: Wanted;
  readonly cleaning: Cleaning;
  /** The client of registries, with the cluster's credentials. */
  registry(): Promise<Registry>;
  log(error: unknown): void;
}

type ImageHandlers = {
  readonly [N in keyof ImageCommands & keyof Commands]: (
    args: Commands[N]["args"],
    context: { readonly signal: AbortSignal; progress(value: Json): void },
  ) => Promise<Commands[N]["out"]>;
};

/** A machine's images: its store, and the engine that pulls from it. */
export function imageHandlers(deps: ImageDeps): ImageHandlers {
  const { runtime, store, unpacked, registry, brought, wanted, cleaning, log } = deps;
  const peers = imagePeers(deps);
  const engine = runtime.images;
  return {
    "image.resolve": async ({ ref, name, pull }, { signal }) => {
      const there = pull === "always" ? undefined : await resolveHere(ref, store, engine);
      if (there !== undefined) await wanted.want(there.digest);
      // A cleaning may just have removed it.
      const here = there && (await resolveHere(ref, store, engine));
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
    "image.ensure": async (asked, context) =>
      ensureImage(
        {
          ...{ store, unpacked, engine, registry, peers, brought, wanted, log, self: deps.self },
          platform: await platformOf(runtime),
        },
        asked,
        context,
      ),
    "image.inspect": async ({ ref }) => (await inspectImage(store, ref)) ?? null,
    ...cleaning,
  };
}
