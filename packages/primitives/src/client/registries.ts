import Type, { type Static } from "typebox";
import { list, object, text } from "../model/schema.ts";
import type { Body } from "./bodies.ts";

/** Host, user and password of a registry. The password is sealed, and no answer contains it. */
export type RegistryLogin = Body<"PUT /v1/registries">;

/** A registry that the cluster has credentials for. */
const RegistryRow = object({
  host: text(),
  user: text(),
  at: text(),
  by: text(),
  /** `lost`: the store was recovered without secrets; log in again. */
  state: Type.Enum(["set", "lost"]),
});
/** Answer of `registry ls`. Without passwords. */
export const RegistryList = object({ kind: Type.Literal("registries"), registries: list(RegistryRow) });
/** Static type of the schema of this name. */
export type RegistryList = Static<typeof RegistryList>;
/** `verified`: the registry has accepted them; false when it did not answer. */
export const RegistryChanged = object({
  kind: Type.Enum(["registry-set", "registry-removed"]),
  host: text(),
  user: Type.Optional(text()),
  changed: Type.Boolean(),
  verified: Type.Optional(Type.Boolean()),
});
/** Static type of the schema of this name. */
export type RegistryChanged = Static<typeof RegistryChanged>;
