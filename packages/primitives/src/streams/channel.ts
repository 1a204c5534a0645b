import type { Duplex, Writable } from "node:stream";
import { cutFrames, FRAME_BYTES, type Frame, type FrameKind, frameHeader } from "./frames.ts";

/** Frames both ways over one connection. */
export interface Channel {
  /** In order; ends with the connection. Fails when the connection breaks. */
  readonly frames: AsyncGenerator<Frame>;
  /** Resolves when more can be sent; also when the connection is gone, which ends `frames`. Cuts a long payload into frames. */
  send(kind: FrameKind, payload?: Buffer | string): Promise<void>;
  /** Ends the connection after all sent frames. */
  end(): void;
  /** Ends both directions at once. */
  destroy(): void;
}

/** `source`: what the socket receives. */
export function openChannel(socket: Duplex, source: AsyncIterable<Buffer> = socket): Channel {
  socket.on("error", () => {}); // `frames` reports it

  const put = (kind: FrameKind, payload: Buffer): boolean => {
    if (socket.destroyed || socket.writableEnded) return true;
    socket.cork();
    socket.write(frameHeader(kind, payload.length));
    const more = socket.write(payload);
    socket.uncork();
    return more;
  };

  return {
    frames: cutFrames(source),
    async send(kind, payload = "") {
      const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
      let at = 0;
      do {
        if (!put(kind, bytes.subarray(at, at + FRAME_BYTES))) await drained(socket);
        at += FRAME_BYTES;
      } while (at < bytes.length);
    },
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
  };
}

/** Resolves when the stream takes more, or has closed. */
export function drained(stream: Writable): Promise<void> {
  if (!stream.writableNeedDrain || stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      for (const event of ["drain", "close", "error"]) stream.off(event, done);
      resolve();
    };
    for (const event of ["drain", "close", "error"]) stream.on(event, done);
  });
}
