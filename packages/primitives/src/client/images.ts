import Type, { type Static } from "typebox";
import { count, error, list, object, text } from "../model/schema.ts";

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
