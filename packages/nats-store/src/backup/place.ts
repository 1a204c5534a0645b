import { bucketSubject, commitSubject, journalSubject, streams } from "../names.ts";
import type { Session } from "../session.ts";

/** Skips sequences that may have been assigned after the last known one. */
export const leap = 10_000;

export interface Placed {
  readonly kept: readonly {
    readonly subject: string;
    readonly data: Uint8Array;
    readonly revision: number;
  }[];
  /** The stream's next sequence. */
  readonly first: number;
  readonly last: number;
}

/** Fills unused sequences, by stream. */
const fillers = (cluster: string): Readonly<Record<string, string>> => ({
  [streams.commits]: commitSubject(cluster, "_filler"),
  [streams.journal]: journalSubject(cluster, "_filler"),
  [streams.facts]: bucketSubject("facts", "_filler"),
  [streams.operations]: bucketSubject("operations", "_filler"),
  [streams.secrets]: bucketSubject("secrets", "_filler"),
});

/** Publishes messages at their original sequences, and advances the stream to `last`. The stream must allow purging. */
export async function publishAt(
  session: Session,
  stream: string,
  { kept, first, last }: Placed,
): Promise<void> {
  const filler = fillers(session.cluster)[stream];
  if (filler === undefined) return;
  const at = new Map(kept.map((message) => [message.revision, message]));
  const { js, jsm } = await session.link();
  const underWay: Promise<void>[] = [];
  for (let sequence = first; sequence <= last; sequence += 1) {
    const message = at.get(sequence) ?? { subject: filler, data: new Uint8Array() };
    underWay.push(
      js.publish(message.subject, message.data, { timeout: 30_000 }).then((ack) => {
        if (ack.seq !== sequence) throw new Error(`${message.subject} is at ${ack.seq}, not ${sequence}`);
      }),
    );
    if (underWay.length >= 512) await Promise.all(underWay.splice(0));
  }
  await Promise.all(underWay);
  await jsm.streams.purge(stream, { filter: filler });
}
