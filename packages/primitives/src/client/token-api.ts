import type { TokenCreate, TokenCreated, TokenDocument, TokenList, TokenRevoked } from "./tokens.ts";

/** The routes of the local API about tokens. */
export interface TokenApi {
  /** The token is shown this once only. */
  "POST /v1/tokens": { query: Record<never, string>; body: TokenCreate; out: TokenCreated };
  "GET /v1/tokens": { query: Record<never, string>; body: undefined; out: TokenList };
  "GET /v1/tokens/:name": { query: Record<never, string>; body: undefined; out: TokenDocument };
  /** Ends it on every machine, with the connections that were made by it. */
  "DELETE /v1/tokens/:name": { query: Record<never, string>; body: undefined; out: TokenRevoked };
}
