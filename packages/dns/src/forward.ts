import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { isIP, connect as tcpConnect } from "node:net";
import { decode } from "dns-packet";
import type { Query } from "./message.ts";
import { frame, frames } from "./tcp-frame.ts";

export interface Upstream {
  readonly address: string;
  readonly port: number;
}

export interface ForwardOptions {
  readonly upstreams: readonly Upstream[];
  /** Per upstream. */
  readonly timeoutMs: number;
  readonly transport: "udp" | "tcp";
}

/**
 * Asks one upstream after the other, and returns the first usable response, under the client's id. A refusal or failure of one
 * upstream is kept while others are tried. `undefined` when no upstream answered.
 */
export async function forward(
  packet: Buffer,
  query: Query,
  options: ForwardOptions,
): Promise<Buffer | undefined> {
  let second: Buffer | undefined;
  for (const upstream of options.upstreams) {
    // A fresh id and a fresh source port for each question: what an attacker must guess (RFC 5452).
    const asked = Buffer.from(packet);
    asked.writeUInt16BE(randomInt(65_536), 0);
    const ask = options.transport === "udp" ? askUdp : askTcp;
    const response = await ask(asked, upstream, options.timeoutMs, (one) => answers(one, asked, query));
    if (!response) continue;
    const own = Buffer.from(response);
    own.writeUInt16BE(query.id, 0);
    const rcode = own.readUInt16BE(2) & 15;
    if (rcode === 0 || rcode === 3) return own;
    second ??= own;
  }
  return second;
}

/** Same id, a response, to this very question. */
function answers(response: Buffer, asked: Buffer, query: Query): boolean {
  if (response.length < 12 || response.readUInt16BE(0) !== asked.readUInt16BE(0)) return false;
  if ((response.readUInt16BE(2) & 0x8000) === 0) return false;
  // Refusals may leave the question out.
  if (response.readUInt16BE(4) === 0) return (response.readUInt16BE(2) & 15) !== 0;
  try {
    const [question] = decode(response).questions ?? [];
    return (
      question?.type === query.question.type &&
      question.name.toLowerCase() === query.question.name.toLowerCase()
    );
  } catch {
    return false;
  }
}

type Accept = (response: Buffer) => boolean;

function askUdp(
  asked: Buffer,
  upstream: Upstream,
  timeoutMs: number,
  accept: Accept,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIP(upstream.address) === 6 ? "udp6" : "udp4");
    const finish = (response?: Buffer): void => {
      clearTimeout(timer);
      socket.removeAllListeners("message");
      socket.close();
      finished = true;
      resolve(response);
    };
    let finished = false;
    const timer = setTimeout(() => finish(), timeoutMs);
    const done = (response?: Buffer): void => {
      if (!finished) finish(response);
    };
    socket.on("error", () => done());
    socket.on("message", (response) => {
      if (accept(response)) done(response);
    });
    // Connected: the kernel drops what others send, and a closed port is known at once.
    socket.connect(upstream.port, upstream.address, () => {
      if (!finished) socket.send(asked, (error) => error && done());
    });
  });
}

function askTcp(
  asked: Buffer,
  upstream: Upstream,
  timeoutMs: number,
  accept: Accept,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = tcpConnect(upstream.port, upstream.address);
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    const next = frames();
    socket.on("error", () => socket.destroy());
    socket.on("connect", () => socket.write(frame(asked)));
    socket.on("data", (chunk) => {
      const response = next(chunk).find(accept);
      if (!response) return;
      resolve(response);
      socket.destroy();
    });
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}
