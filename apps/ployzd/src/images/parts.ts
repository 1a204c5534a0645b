import type { ImageStore, UnpackedImages } from "@ployz/images";
import { credentialsFrom } from "./credentials.ts";
import type { ImageDeps } from "./open.ts";
import { registryOf } from "./registries.ts";

/** A member's part of its images: the store, and registries with the cluster's credentials. */
export const imageParts = (
  { images, unpacked }: { readonly images: ImageStore; readonly unpacked: UnpackedImages | undefined },
  facts: Parameters<typeof credentialsFrom>[0],
  secrets: Parameters<typeof credentialsFrom>[1],
  log: { warn(fields: { readonly err: unknown }, what: string): void },
): Pick<ImageDeps, "store" | "unpacked" | "registry" | "log"> => ({
  store: images,
  unpacked,
  registry: () => registryOf(credentialsFrom(facts, secrets)),
  log: (error) => log.warn({ err: error }, "images"),
});
