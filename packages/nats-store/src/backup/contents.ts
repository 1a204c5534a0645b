import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { StreamInfo } from "@nats-io/jetstream";
import { consumeOnce, Interrupted } from "../client/consumer.ts";
import { withinDeadline } from "../deadline.ts";
import { isTransient, storeError } from "../errors.ts";
import type { Session } from "../session.ts";

export const infoOf = (session: Session, stream: string): Promise<StreamInfo> =>
  withinDeadline(session, `inspecting ${stream}`, ({ jsm }) => jsm.streams.info(stream));

const AGAIN_MS = 100;
/** How long a server of a set may lag behind its leader. */
const BEHIND_ROUNDS = 100;

/**
 * SHA-256 over every message of a stream that receives no writes, in order: sequence, subject, headers and data. Restarts when a server
 * disappears, or when the server that was read lags behind its set.
 */
export async function contentsOf(session: Session, stream: string): Promise<string> {
  for (let [left, behind] = [4, BEHIND_ROUNDS]; ; ) {
    try {
      // From the leader; waits until there is one.
      const { messages } = (await infoOf(session, stream)).state;
      const read = await readOnce(session, stream);
      if (read.count >= messages || behind-- === 0) return read.digest;
      await delay(AGAIN_MS);
    } catch (error) {
      if (left-- === 0 || !(error instanceof Interrupted || isTransient(error)))
        throw storeError(`reading ${stream}`, error);
    }
  }
}

async function readOnce(
  session: Session,
  stream: string,
): Promise<{ readonly digest: string; readonly count: number }> {
  const stop = new AbortController();
  const hash = createHash("sha256");
  let count = 0;
  const link = await session.link();
  const add = (part: Uint8Array | string) => {
    const bytes = Buffer.from(part);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  };
  const options = { from: "all", filters: [">"], signal: stop.signal } as const;
  try {
    for await (const event of consumeOnce(session, link, stream, options)) {
      if (typeof event === "number") {
        if (event === 0) break;
        continue;
      }
      const { revision, subject, data, allHeaders } = event.stored;
      count += 1;
      for (const part of [String(revision), subject, allHeaders(), data]) add(part);
      if (event.pending === 0) break;
    }
  } finally {
    stop.abort();
  }
  return { digest: `sha256:${hash.digest("hex")}`, count };
}
