import Type, { type Static } from "typebox";
import { list, object, text } from "./schema.ts";

/** Each lets a token do the command of its name; `read` lists and shows, `remove` is `namespace rm`. */
export const PERMISSIONS = [
  "read",
  "logs",
  "deploy",
  "branch",
  "promote",
  "rollback",
  "remove",
  "restart",
  "stop",
  "start",
  "scale",
  "maintenance",
  "migrate",
  "schedule",
  "volume",
  "backup",
  "secret",
  "exec",
  "run",
  "port-forward",
] as const;
/** One of them. */
export type Permission = (typeof PERMISSIONS)[number];

/** The longest that a token is valid. Milliseconds. */
export const TOKEN_MS = 366 * 86_400_000;

/** Intent: a program may use the API from outside, under the fact `token.<name>`. The secret is only in the token; here is its hash. */
export const TokenRecord = object({
  id: text(),
  name: text(),
  /** SHA-256 of the secret, hexadecimal. */
  secretHash: text(),
  /** Namespaces, and beginnings of namespaces followed by `*`. */
  namespaces: list(text()),
  /** Other namespaces that it may only branch from. */
  branchFrom: list(text()),
  /** Other namespaces that it may only promote to. */
  promoteTo: list(text()),
  /** Permissions; those that this version does not know allow nothing. */
  allow: list(text()),
  by: text(),
  /** Milliseconds since the epoch. */
  createdAt: Type.Number(),
  expiresAt: Type.Number(),
});
export type TokenRecord = Static<typeof TokenRecord>;

/** Where a machine takes calls with a token, and the key that it proves there, under the fact `token-port.<machine>`. */
export const TokenPort = object({
  /** SHA-256 of the public key (SubjectPublicKeyInfo), base64url. */
  pin: text(),
  /** `host:port`, best first. */
  endpoints: list(text()),
});
export type TokenPort = Static<typeof TokenPort>;

/** The key of the fact of a token. */
export const tokenKey = (name: string): `token.${string}` => `token.${name}`;

/** Whether the list has all that `asked` stands for: a namespace, or the beginning of one and `*`. */
export const coversNamespace = (list: readonly string[], asked: string): boolean =>
  list.some((one) => one === asked || (one.endsWith("*") && asked.startsWith(one.slice(0, -1))));
