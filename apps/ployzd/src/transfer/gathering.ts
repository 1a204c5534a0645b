import { connect } from "node:net";
import { Duplex } from "node:stream";

/** Pause between two reads. A tunnel delivers packets one by one; the pause gathers those of many reads. */
const GATHER_MS = 2;
/** More than arrives in that time at 100 MB/s. */
const READ_BYTES = 256 * 1024;

/**
 * A connection for bulk data over a tunnel: with a plain socket, every packet or two cost a turn of the event loop, a quarter of the
 * receiver's processor time in a transfer (docs/benchmarks.md).
 */
export function connectGathering(options: { readonly host: string; readonly port: number }): Duplex {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  let next: NodeJS.Timeout | undefined;
  const socket = connect({
    ...options,
    onread: {
      buffer,
      callback(bytes) {
        stream.push(Buffer.from(buffer.subarray(0, bytes)));
        return false; // stops reading until it is resumed
      },
    },
  });
  const stream = new Duplex({
    highWaterMark: 2 * READ_BYTES,
    read() {
      next ??= setTimeout(() => {
        next = undefined;
        socket.resume();
      }, GATHER_MS);
    },
    write: (chunk: Buffer, encoding, done) => void socket.write(chunk, encoding, done),
    final: (done) => void socket.end(done),
    destroy(error, done) {
      clearTimeout(next);
      socket.destroy();
      done(error);
    },
  });
  socket.on("end", () => stream.push(null));
  socket.on("error", (error) => stream.destroy(error));
  socket.on("close", () => {
    if (!socket.readableEnded) stream.destroy();
  });
  return stream;
}
