import { connect } from "node:net";
import { PloyzError } from "./error-codes.ts";

/** How often and how long to measure. */
export interface RttOptions {
  /** Time-out for all samples together; default 3,000 ms. */
  readonly timeoutMs?: number;
  /** Default 3: the first one may include a handshake. */
  readonly samples?: number;
  readonly signal?: AbortSignal;
}

/** tcpmux (RFC 1078): normally closed, and either kind of answer is a round trip. */
const PORT = 1;

/**
 * Round trip to an address in milliseconds: the fastest of a few TCP connection attempts to a closed port. The peer's kernel sends the
 * refusal (RST), so the peer needs no listener and this machine no raw socket or ping program.
 * @throws PloyzError `rtt_timeout` (no answer), `rtt_unreachable` (no route); the abort reason.
 */
export async function measureRtt(address: string, options: RttOptions = {}): Promise<number> {
  const deadline = performance.now() + (options.timeoutMs ?? 3_000);
  let best: number | undefined;
  for (let sample = 0; sample < (options.samples ?? 3); sample++) {
    const left = deadline - performance.now();
    const elapsed = left <= 0 ? undefined : await once(address, left, options.signal);
    if (elapsed === undefined) break;
    best = Math.min(best ?? elapsed, elapsed);
  }
  if (best !== undefined) return best;
  throw new PloyzError({
    code: "rtt_timeout",
    message: `${address} did not answer within ${options.timeoutMs ?? 3_000} ms`,
    hint: "is the machine up, and is its WireGuard UDP port open?",
  });
}

function once(
  address: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const start = performance.now();
    const socket = connect({ host: address, port: PORT });
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      socket.destroy();
      settle();
    };
    const onAbort = () => finish(() => reject(signal?.reason));
    const timer = setTimeout(() => finish(() => resolve(undefined)), timeoutMs);
    signal?.addEventListener("abort", onAbort, { once: true });
    socket.once("connect", () => finish(() => resolve(performance.now() - start)));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      const elapsed = performance.now() - start;
      if (error.code === "ECONNREFUSED" || error.code === "ECONNRESET") return finish(() => resolve(elapsed));
      if (error.code === "ETIMEDOUT") return finish(() => resolve(undefined));
      finish(() =>
        reject(
          new PloyzError(
            { code: "rtt_unreachable", message: `cannot reach ${address}: ${error.message}` },
            { cause: error },
          ),
        ),
      );
    });
  });
}
