import Type, { type Static } from "typebox";
import { label, object, text } from "./schema.ts";

/** The fact `secret.<namespace>.<name>`: that there is a secret. Its value is sealed, on store machines only. */
export const SecretRecord = object({
  namespace: label(),
  name: label(),
  version: text(),
  /** RFC 3339. */
  at: text(),
  /** `user@machine`, for people only. */
  by: text(),
  /** Namespaces that are branched from this one do not get it. */
  private: Type.Optional(Type.Literal(true)),
});
export type SecretRecord = Static<typeof SecretRecord>;

/** Most bytes of UTF-8 that a value may have: it becomes an environment variable. */
export const MAX_SECRET_BYTES = 32_768;

export const secretKey = ({
  namespace,
  name,
}: Pick<SecretRecord, "namespace" | "name">): `secret.${string}` => `secret.${namespace}.${name}`;
