import Type, { type Static } from "typebox";
import { list, object, text } from "../model/schema.ts";
import type { Body } from "./bodies.ts";

/** Body of `POST /v1/tokens`. */
export type TokenCreate = Body<"POST /v1/tokens">;
const row = {
  name: text(),
  id: text(),
  state: Type.Enum(["valid", "expired"]),
  namespaces: list(text()),
  branchFrom: list(text()),
  promoteTo: list(text()),
  allow: list(text()),
  by: text(),
  /** RFC 3339. */
  createdAt: text(),
  expiresAt: text(),
};
/** A token as listed: without its secret. */
export const TokenRow = object(row);
/** Static type of the schema of this name. */
export type TokenRow = Static<typeof TokenRow>;
/** A new token, with its text, which is shown this once. `machines`: those that the text names. */
export const TokenCreated = object({
  kind: Type.Literal("token-created"),
  token: text(),
  machines: list(text()),
  record: TokenRow,
});
/** Static type of the schema of this name. */
export type TokenCreated = Static<typeof TokenCreated>;
/** All tokens that were not revoked. */
export const TokenList = object({ kind: Type.Literal("tokens"), tokens: list(TokenRow) });
/** Static type of the schema of this name. */
export type TokenList = Static<typeof TokenList>;
/** One token. */
export const TokenDocument = object({ kind: Type.Literal("token"), ...row });
/** Static type of the schema of this name. */
export type TokenDocument = Static<typeof TokenDocument>;
/** Answer to the revocation of a token. */
export const TokenRevoked = object({ kind: Type.Literal("token-revoked"), name: text(), id: text() });
/** Static type of the schema of this name. */
export type TokenRevoked = Static<typeof TokenRevoked>;
/** Documents about tokens, by kind. */
export const TOKEN_DOCUMENTS = {
  token: TokenDocument,
  "token-created": TokenCreated,
  "token-revoked": TokenRevoked,
  tokens: TokenList,
} as const;
