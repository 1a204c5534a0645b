import type { AlertChanged, AlertList, AlertSet, AlertTested } from "./alerts.ts";

/** The routes of the local API about alerts. */
export interface AlertApi {
  "GET /v1/alerts": { query: Record<never, string>; body: undefined; out: AlertList };
  /** The URL and the key are in the body only; nothing tells them again. */
  "PUT /v1/alerts/:name": { query: Record<never, string>; body: AlertSet; out: AlertChanged };
  "DELETE /v1/alerts/:name": { query: Record<never, string>; body: undefined; out: AlertChanged };
  /** Sends a message at once. Refused when the receiver does not take it. */
  "POST /v1/alerts/:name/test": { query: Record<never, string>; body: undefined; out: AlertTested };
}
