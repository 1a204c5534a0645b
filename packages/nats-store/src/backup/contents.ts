import { createHash } from "node:crypto";
import type { StreamInfo } from "@nats-io/jetstream";
import { consumeOnce, Interrupted } from "../client/consumer.ts";
import { withinDeadline } from "../deadline.ts";
import { isTransient, storeError } from "../errors.ts";
import type { Session } from "../session.ts";

export const infoOf = (session: Session, stream: string): Promise<StreamInfo> =>
  withinDeadline(session, `looking at ${stream}`, ({ jsm }) => jsm.streams.info(stream));

/** SHA-256 over every message of a stream, in order: sequence, subject, headers and data. Read again when a server goes away. */
export async function contentsOf(session: Session, stream: string): Promise<string> {
  for (let left = 4; ; left -= 1) {
    try {
      return await readOnce(session, stream);
    } catch (error) {
      if (left === 0 || !(error instanceof Interrupted || isTransient(error)))
        throw storeError(`reading ${stream}`, error);
      // Waits for its leader.
      await infoOf(session, stream);
    }
  }
}

async function readOnce(session: Session, stream: string): Promise<string> {
  const stop = new AbortController();
  const hash = createHash("sha256");
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
      for (const part of [String(revision), subject, allHeaders(), data]) add(part);
      if (event.pending === 0) break;
    }
  } finally {
    stop.abort();
  }
  return `sha256:${hash.digest("hex")}`;
}
