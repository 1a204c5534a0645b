import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { STREAM_PROTOCOL } from "@ployz/primitives/protocol";

/**
 * Hands over each connection that asks for a stream (`Upgrade`, RFC 9110, 7.8); `accept` answers undefined to refuse it. Returns the
 * function that breaks them all: the server itself forgets a connection that has left HTTP.
 */
export function onUpgrade(
  server: Server,
  accept: (request: IncomingMessage) => ((socket: Duplex) => void) | undefined,
): () => void {
  const open = new Set<Duplex>();
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => {}); // the other side disconnected
    const serve = request.headers.upgrade === STREAM_PROTOCOL ? accept(request) : undefined;
    if (serve === undefined) {
      socket.end("HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${STREAM_PROTOCOL}\r\n\r\n`,
    );
    if (head.length > 0) socket.unshift(head);
    serve(socket);
  });
  return () => {
    for (const socket of open) socket.destroy();
  };
}
