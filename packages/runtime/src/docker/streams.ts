import type { LogLine } from "../runtime.ts";

export interface Frame {
  readonly stream: "stdout" | "stderr";
  readonly payload: Buffer;
}

/** Splits the engine's multiplexed stream: 8 bytes of header (stream, 0, 0, 0, length big endian), then the payload (ContainerAttach). */
export async function* frames(source: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<Frame> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 8) {
      const end = 8 + rest.readUInt32BE(4);
      if (rest.length < end) break;
      yield { stream: rest[0] === 2 ? "stderr" : "stdout", payload: rest.subarray(8, end) };
      rest = rest.subarray(end);
    }
  }
}

/** A longer line is given in pieces: an endless one takes no more memory than this, in characters. */
const LONGEST = 65_536;

/** The engine splits longer lines into frames of this many bytes, without a newline (moby, daemon/logger/copier.go). */
const FRAME_BYTES = 16_384;

/**
 * Log lines of a stream asked for with timestamps. A long line comes in several frames, each with a time of its own. A shorter frame
 * without a newline is the last line of a life, not the beginning of the next one's first.
 */
export async function* logLines(source: AsyncIterable<Frame>): AsyncGenerator<LogLine> {
  const partial: Partial<Record<Frame["stream"], LogLine>> = {};
  for await (const { stream, payload } of source) {
    const text = payload.toString("utf8");
    const space = text.indexOf(" ");
    const ended = text.endsWith("\n");
    const complete = ended || payload.length - space - 1 < FRAME_BYTES;
    const line = text.slice(space + 1, ended ? -1 : undefined);
    const begun = partial[stream];
    const joined: LogLine =
      begun === undefined
        ? { time: text.slice(0, space), stream, line }
        : { ...begun, line: begun.line + line };
    delete partial[stream];
    if (complete || joined.line.length >= LONGEST) yield joined;
    else partial[stream] = joined;
  }
  yield* Object.values(partial);
}
