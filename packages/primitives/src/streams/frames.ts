/**
 * A two-way stream between ployzctl, the daemon that it asks, and the machine of the instance, over any connection: frames of one byte
 * of kind, four bytes of length (big endian) and a payload. Input needs credit, so that a signal is never stuck behind input that the
 * program does not read; output is slowed down by the connection itself.
 */
export const FRAME = {
  /** Of the caller, once, first: what it wants (JSON). */
  ask: 1,
  /** Of the callee, once, first (JSON). */
  opened: 2,
  input: 3,
  inputEnd: 4,
  output: 5,
  errors: 6,
  outputEnd: 7,
  /** Further bytes of input that the callee accepts (decimal). */
  credit: 8,
  /** JSON of a `TerminalSize`. */
  resize: 9,
  /** The name of a signal, such as SIGINT. */
  signal: 10,
  /** The exit code (decimal), last. */
  exit: 11,
  /** An error (JSON of an `ErrorBody`), last. */
  error: 12,
  ping: 13,
} as const;
export type FrameKind = (typeof FRAME)[keyof typeof FRAME];

export interface Frame {
  readonly kind: number;
  readonly payload: Buffer;
}

/** Largest payload. */
export const FRAME_BYTES = 64 * 1024;
/** Bytes of input that may be on the way. */
export const CREDIT_BYTES = 1024 * 1024;

const HEADER = 5;

export function frameHeader(kind: FrameKind, bytes: number): Buffer {
  const header = Buffer.allocUnsafe(HEADER);
  header.writeUInt8(kind, 0);
  header.writeUInt32BE(bytes, 1);
  return header;
}

/** Cuts what arrives into frames. Throws (a bug, or another program) on a frame that is too long. */
export async function* cutFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Frame> {
  // Joined only when a frame is complete: a tunnel delivers packets one by one.
  let chunks: Buffer[] = [];
  let [size, needed] = [0, HEADER];
  for await (const chunk of source) {
    chunks.push(chunk);
    size += chunk.length;
    if (size < needed) continue;
    let rest = chunks.length === 1 ? chunk : Buffer.concat(chunks);
    for (;;) {
      needed = HEADER;
      if (rest.length < needed) break;
      const length = rest.readUInt32BE(1);
      if (length > FRAME_BYTES) throw new Error(`a frame of ${length} bytes`);
      needed = HEADER + length;
      if (rest.length < needed) break;
      yield { kind: rest.readUInt8(0), payload: rest.subarray(HEADER, needed) };
      rest = rest.subarray(needed);
    }
    chunks = [rest];
    size = rest.length;
  }
}
