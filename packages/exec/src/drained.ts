import type { Writable } from "node:stream";

/** Resolves when the stream takes more, or is gone: `once(stream, "drain")` waits forever for one that is destroyed meanwhile. */
export function drained(stream: Writable): Promise<void> {
  if (!stream.writableNeedDrain || stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      for (const event of ["drain", "close"]) stream.off(event, done);
      resolve();
    };
    for (const event of ["drain", "close"]) stream.on(event, done);
  });
}
