import type { ImageStore, UnpackedImages } from "@ployz/images";
import type { Store } from "@ployz/primitives/protocol";
import type { Runtime } from "@ployz/runtime";
import type { Config } from "../config/load.ts";
import type { Paths } from "../state/paths.ts";
import type { Records } from "../state/records.ts";
import type { Bundles } from "../transfer/bundles.ts";
import { openBrought } from "./brought.ts";
import { cleanAfterCommits } from "./cleaning/after-commits.ts";
import { unpackedLayers } from "./cleaning/layers.ts";
import { openCleaning } from "./cleaning/open.ts";
import { credentialsFrom } from "./credentials.ts";
import type { ImageDeps } from "./open.ts";
import { registryOf } from "./registries.ts";
import { openWanted } from "./wanted.ts";

interface Around {
  readonly substrate: {
    readonly images: ImageStore;
    readonly unpacked: UnpackedImages | undefined;
    readonly runtime: Runtime;
  };
  readonly store: Store;
  readonly bundles: Bundles;
  readonly secrets: Parameters<typeof credentialsFrom>[1];
  readonly mirror: Pick<Records, "onChange">;
  readonly config: Pick<Config, "retention" | "registries">;
  readonly paths: Pick<Paths, "engineImages">;
  readonly log: { warn(fields: { readonly err: unknown }, what: string): void };
  readonly signal: AbortSignal;
}

/** A member's part of its images: the store, registries with the cluster's credentials, and the cleaning, which also runs after commits. */
export function imageParts({
  substrate: { images, unpacked, runtime },
  store,
  bundles,
  secrets,
  mirror,
  config,
  paths,
  log,
  signal,
}: Around): Pick<ImageDeps, "store" | "unpacked" | "registry" | "log" | "brought" | "wanted" | "cleaning"> {
  const brought = openBrought(paths.engineImages);
  const wanted = openWanted();
  const warn = (error: unknown) => log.warn({ err: error }, "images");
  const cleaning = openCleaning({
    ...{ store: images, engine: runtime.images, runtime, records: store },
    ...{ brought, bundles, wanted, retention: config.retention, now: Date.now, log: warn },
    ...(unpacked !== undefined && { layers: unpackedLayers(unpacked, warn) }),
  });
  cleanAfterCommits({
    onChange: mirror.onChange,
    clean: () => cleaning["image.prune"]({}),
    signal,
    log: warn,
  });
  return {
    ...{ store: images, unpacked, brought, wanted, cleaning, log: warn },
    registry: () => registryOf(config, credentialsFrom(store.facts, secrets)),
  };
}
