import { count, object, text } from "@ployz/primitives/documents";
import Type, { type Static } from "typebox";

/** Documents of commands that write a file. */
export const StoreSnapshot = object({
  kind: Type.Literal("store-snapshot"),
  file: text(),
  bytes: count(),
  encrypted: Type.Boolean(),
});
export type StoreSnapshot = Static<typeof StoreSnapshot>;
export const VolumeExported = object({
  kind: Type.Literal("volume-exported"),
  namespace: text(),
  volume: text(),
  snapshot: text(),
  since: Type.Optional(text()),
  file: text(),
  bytes: count(),
});
export type VolumeExported = Static<typeof VolumeExported>;
