import type { TLSSocket } from "node:tls";

/** How a connection to a join port is made, and how long it lives. */
export interface DialOptions {
  /** Ends the try to connect, for example after a time. */
  readonly connecting: AbortSignal;
  /** Ends the connection. */
  readonly signal: AbortSignal;
  /** What to speak on the join port, by ALPN. Default: the join. */
  readonly protocol?: string;
}

/**
 * TLS 1.3 to a join port, `address:port`, and the SHA-256 of the key that the other side has proved, as tokens pin it. There is no certificate authority: the
 * caller compares the pin before it sends anything, and destroys the socket if it is another one. Rejects when nothing answers.
 */
export async function dialJoinPort(
  endpoint: string,
  { connecting, signal, protocol }: DialOptions,
): Promise<{ readonly socket: TLSSocket; readonly pin: string | undefined }> {
  const { connect } = await import("node:tls");
  const { createHash } = await import("node:crypto");
  const at = endpoint.lastIndexOf(":");
  const [host, port] = [endpoint.slice(0, at).replaceAll(/[[\]]/g, ""), Number(endpoint.slice(at + 1))];
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...{ host, port, minVersion: "TLSv1.3", rejectUnauthorized: false },
      ...(protocol !== undefined && { ALPNProtocols: [protocol] }),
    });
    const end = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    const late = () => end(new Error("no answer"));
    const abort = () => end(new Error("aborted"));
    connecting.addEventListener("abort", late, { once: true });
    signal.addEventListener("abort", abort, { once: true });
    socket.once("error", end);
    socket.once("close", () => {
      connecting.removeEventListener("abort", late);
      signal.removeEventListener("abort", abort);
      reject(new Error("closed"));
    });
    socket.once("secureConnect", () => {
      connecting.removeEventListener("abort", late);
      const key = socket.getPeerX509Certificate()?.publicKey.export({ type: "spki", format: "der" });
      resolve({ socket, pin: key && createHash("sha256").update(key).digest("base64url") });
    });
  });
}
