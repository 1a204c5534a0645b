import type { Readable } from "node:stream";

/** Reads the first bytes of a stream without consuming them. Returns fewer when the stream ends earlier; those are consumed. @throws the stream's error. */
export async function peek(stream: Readable, bytes: number): Promise<Buffer> {
  for (;;) {
    if (stream.errored) throw stream.errored;
    const first = stream.read(bytes) as Buffer | null;
    if (first !== null && first.length >= bytes) {
      stream.unshift(first);
      return first;
    }
    if (first !== null || stream.readableEnded || stream.destroyed) return first ?? Buffer.alloc(0);
    await changed(stream);
  }
}

async function changed(stream: Readable): Promise<void> {
  const events = ["readable", "end", "error", "close"];
  let wake = () => {};
  try {
    await new Promise<void>((resolve) => {
      wake = resolve;
      for (const event of events) stream.once(event, wake);
    });
  } finally {
    for (const event of events) stream.removeListener(event, wake);
  }
}
