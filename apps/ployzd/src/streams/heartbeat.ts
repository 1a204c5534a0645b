import type { Duplex } from "node:stream";
import { type Channel, FRAME, openChannel } from "@ployz/primitives/protocol";

/** Between machines: a partition closes no connection. */
const PING_MS = 5_000;
const SILENCE_MS = 20_000;

/** A channel that sends a sign of life, and breaks when the other side sends none. Silence counts only while this side reads. */
export function openHeartbeat(socket: Duplex): Channel {
  const channel = openChannel(socket, heard(socket));
  const ping = setInterval(() => void channel.send(FRAME.ping), PING_MS);
  socket.once("close", () => clearInterval(ping));
  return channel;
}

async function* heard(socket: Duplex): AsyncGenerator<Buffer> {
  const iterator = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  try {
    for (;;) {
      const silent = setTimeout(() => socket.destroy(new Error(`silent for ${SILENCE_MS} ms`)), SILENCE_MS);
      const next = await iterator.next().finally(() => clearTimeout(silent));
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}
