import type { IncomingMessage } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

/** The longest time that is waited for. A plan has half a minute for its registry. */
const MAX_SECONDS = 10;
const MAX_WAITS = 3;

/** The seconds of a Retry-After (RFC 9110, section 10.2.3), in either form. `undefined`: there is none. */
export function retryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header);
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - nowMs) / 1000));
}

/** Asks again when a registry limits requests and says a short time to wait; its last answer otherwise. */
export async function patiently(
  ask: () => Promise<IncomingMessage>,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  for (let waits = 0; ; waits++) {
    const response = await ask();
    const seconds = retryAfter(response.headers["retry-after"], Date.now());
    if (response.statusCode !== 429 || seconds === undefined || seconds > MAX_SECONDS || waits >= MAX_WAITS)
      return response;
    response.destroy();
    await delay(seconds * 1000, undefined, { signal });
  }
}
