import Type, { type Static } from "typebox";
import { count, error, list, map, object, text } from "../model/schema.ts";

/** An image, on all machines that have it. */
export const ImageRow = object({
  /** Of its manifest. */
  digest: text(),
  /** As Docker shows them; a name means one digest on each machine. */
  names: list(text()),
  /** Of its compressed layers and its configuration. */
  sizeBytes: count(),
  /** When it got its newest name, RFC 3339; absent: not by a push or a pull. */
  at: Type.Optional(text()),
  machines: list(text()),
  /** Committed services and jobs that run it: `prod/web`. */
  users: list(text()),
});
/** Static type of the schema of this name. */
export type ImageRow = Static<typeof ImageRow>;
/** Answer of `image ls`: the newest image first. */
export const ImageList = object({
  kind: Type.Literal("images"),
  images: list(ImageRow),
  /** Machines that do not answer. */
  silent: list(object({ machine: text(), error: error() })),
});
/** Static type of the schema of this name. */
export type ImageList = Static<typeof ImageList>;
/** What a machine keeps to run workloads, and what of it nothing needs. Sizes in bytes. */
export const ImageStatus = object({
  kind: Type.Literal("image-status"),
  machines: list(
    object({
      machine: text(),
      content: list(
        object({
          kind: Type.Enum(["image", "bundle"]),
          digest: text(),
          names: list(text()),
          sizeBytes: count(),
          at: text(),
          /** What needs it. */
          keptBy: list(text()),
          /** `image prune` removes it. */
          expired: Type.Boolean(),
        }),
      ),
      /** Compressed layers and configurations. */
      storeBytes: count(),
      /** Unpacked layers. */
      layerBytes: count(),
      bundleBytes: count(),
      /** What Ployz gave the Docker engine. */
      engineBytes: count(),
      /** About what `image prune` frees. */
      expiredBytes: count(),
      /** Why not all users are known, so that nothing is expired. */
      waitsFor: Type.Optional(text()),
    }),
  ),
  /** Machines that do not answer. */
  silent: list(object({ machine: text(), error: error() })),
});
/** Static type of the schema of this name. */
export type ImageStatus = Static<typeof ImageStatus>;
/** One image in full. Sizes in bytes. */
export const ImageDocument = object({
  kind: Type.Literal("image"),
  digest: text(),
  names: list(text()),
  /** `linux/amd64`. */
  platform: text(),
  created: Type.Optional(text()),
  sizeBytes: count(),
  /** Lowest first, compressed. */
  layers: list(object({ digest: text(), sizeBytes: count() })),
  entrypoint: Type.Optional(list(text())),
  command: Type.Optional(list(text())),
  user: Type.Optional(text()),
  workingDir: Type.Optional(text()),
  stopSignal: Type.Optional(text()),
  env: list(text()),
  ports: list(text()),
  volumes: list(text()),
  labels: map(text()),
  machines: list(text()),
  users: list(text()),
});
/** Static type of the schema of this name. */
export type ImageDocument = Static<typeof ImageDocument>;
/** An image that was read from an archive into a machine's store. Sizes in bytes. */
export const ImagePushed = object({
  kind: Type.Literal("image-pushed"),
  digest: text(),
  /** Absent: the archive has none, and none was given. */
  name: Type.Optional(text()),
  sizeBytes: count(),
  machine: text(),
});
/** Static type of the schema of this name. */
export type ImagePushed = Static<typeof ImagePushed>;
