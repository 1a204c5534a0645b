import { createHash } from "node:crypto";
import type { StreamInfo } from "@nats-io/jetstream";
import { consumeOnce } from "../client/consumer.ts";
import { withinDeadline } from "../deadline.ts";
import type { Session } from "../session.ts";

export const infoOf = (session: Session, stream: string): Promise<StreamInfo> =>
  withinDeadline(session, `looking at ${stream}`, ({ jsm }) => jsm.streams.info(stream));

/** SHA-256 over every message of a stream, in order: sequence, subject, headers and data. */
export async function contentsOf(session: Session, stream: string): Promise<string> {
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
