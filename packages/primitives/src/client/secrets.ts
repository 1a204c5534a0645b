import Type, { type Static } from "typebox";
import { list, object, text } from "../model/schema.ts";
import type { Body } from "./bodies.ts";
/** Body of a request that sets a secret. */
export type SecretSet = Body<"PUT /v1/secrets/:ns/:name">;

/** A secret without its value. */
export const SecretRow = object({
  namespace: text(),
  name: text(),
  /** `lost`: the store was recovered without secrets; it has to be set again. */
  state: Type.Enum(["set", "lost"]),
  version: text(),
  at: text(),
  by: text(),
  private: Type.Boolean(),
  /** Services and jobs that have it, those of branches among them: `prod/web`. */
  users: list(text()),
  /** Instances, by id, that were started with another version. */
  outdated: list(text()),
});
export type SecretRow = Static<typeof SecretRow>;
/** Names and versions of a namespace's secrets, without values. */
export const SecretList = object({
  kind: Type.Literal("secrets"),
  secrets: list(SecretRow),
});
/** Static type of the schema of this name. */
export type SecretList = Static<typeof SecretList>;
/** `changed`: false when that was its value already, or there was none to remove. */
export const SecretChanged = object({
  kind: Type.Enum(["secret-set", "secret-removed"]),
  namespace: text(),
  name: text(),
  changed: Type.Boolean(),
  users: list(text()),
  outdated: list(text()),
});
export type SecretChanged = Static<typeof SecretChanged>;
