/** The fact `secret.<namespace>.<name>`: that there is a secret. Its value is sealed, on store machines only. */
export type SecretRecord = {
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  /** RFC 3339. */
  readonly at: string;
  /** `user@machine`, for people only. */
  readonly by: string;
  /** Namespaces that are branched from this one do not get it. */
  readonly private?: true;
};

/** Most bytes of UTF-8 that a value may have: it becomes an environment variable. */
export const MAX_SECRET_BYTES = 32_768;

export const secretKey = ({ namespace, name }: Pick<SecretRecord, "namespace" | "name">): string =>
  `secret.${namespace}.${name}`;
