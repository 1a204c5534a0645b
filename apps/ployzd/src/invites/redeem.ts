import { request as httpRequest } from "node:http";
import { createInterface } from "node:readline";
import type { TLSSocket } from "node:tls";
import { dialJoinPort } from "@ployz/primitives/client";
import { PloyzError } from "../error-codes.ts";
import type { JoinLine } from "./server.ts";
import type { JoinToken } from "./token.ts";

const CONNECT_MS = 4_000;
/** Members have 30 s to add the new peer, and the handshake has 45 s. */
const SILENCE_MS = 100_000;

/** Requests a seat from the inviter; yields its replies. Sends nothing before the inviter has proved the key pinned in the token. */
export async function* redeem(token: JoinToken, self: object, signal: AbortSignal): AsyncGenerator<JoinLine> {
  const socket = await reach(token, signal);
  try {
    const { cluster, invite, secret } = token;
    const body = JSON.stringify({ v: 1, cluster, invite, secret, self });
    const response = await new Promise<import("node:http").IncomingMessage>((resolve, reject) => {
      const request = httpRequest(
        {
          ...{ method: "POST", path: "/v1/join", createConnection: () => socket, signal },
          headers: {
            host: token.inviter,
            "content-type": "application/json",
            "content-length": Buffer.byteLength(body),
          },
        },
        resolve,
      );
      request.setTimeout(SILENCE_MS, () => request.destroy(new Error(`silent for ${SILENCE_MS} ms`)));
      request.on("error", reject);
      request.end(body);
    });
    const broken = new Promise<never>((_, reject) => response.on("error", reject));
    broken.catch(() => {}); // raced below, or no longer awaited
    const lines = createInterface({ input: response })[Symbol.asyncIterator]();
    for (;;) {
      const line = await Promise.race([lines.next(), broken]);
      if (line.done === true) return;
      yield JSON.parse(line.value) as JoinLine;
    }
  } catch (error) {
    if (signal.aborted || error instanceof PloyzError) throw error;
    throw unfinished(token, error);
  } finally {
    socket.destroy();
  }
}

/** The outcome is unknown here. */
export const unfinished = ({ inviter }: JoinToken, cause?: unknown): PloyzError =>
  new PloyzError(
    {
      code: "machine_unreachable",
      message: `the connection to ${inviter} broke before the join's result arrived`,
      hint: "run the same command with the same token again: it continues the join",
    },
    { cause },
  );

/** The first endpoint that answers with the pinned key. In this network a private address may belong to another machine. */
async function reach(token: JoinToken, signal: AbortSignal): Promise<TLSSocket> {
  const silent: string[] = [];
  const others: string[] = [];
  for (const endpoint of token.endpoints) {
    const dialled = await dialJoinPort(endpoint, {
      connecting: AbortSignal.timeout(CONNECT_MS),
      signal,
    }).catch(() => undefined);
    if (dialled === undefined) silent.push(endpoint);
    else if (dialled.pin === token.pin) return dialled.socket;
    else {
      dialled.socket.destroy();
      others.push(endpoint);
    }
  }
  if (signal.aborted) throw signal.reason;
  if (others.length > 0)
    throw new PloyzError({
      code: "invite_wrong_key",
      message: `the machine at ${others.join(", ")} is not ${token.inviter}, or has a new key since it created the invite`,
      hint: "create another invite there; if it happens again, someone may be intercepting the connection",
    });
  // By this machine's clock, which may be wrong: reported only when no endpoint answers.
  const late = Date.now() >= token.expiresAt;
  throw new PloyzError(
    late
      ? {
          code: "invite_expired",
          message: `invite ${token.invite} expired at ${new Date(token.expiresAt).toISOString()}, and ${token.inviter} no longer answers`,
          hint: "create another invite on a member: ployzctl machine invite create",
        }
      : {
          code: "machine_unreachable",
          message: `${token.inviter} does not answer at ${silent.join(", ")} (TCP)`,
          hint: `check that ployzd runs on ${token.inviter}, and open one of these addresses to this machine`,
        },
  );
}
