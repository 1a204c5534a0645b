import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { isIP, connect as tcpConnect } from "node:net";
import { decode } from "dns-packet";
import type { Query } from "./message.ts";
import { frame, frames } from "./tcp-frame.ts";
import type { Upstream, UpstreamHealth } from "./upstream-health.ts";

export interface ForwardOptions {
  readonly upstreams: readonly Upstream[];
  /** Per upstream. */
  readonly timeoutMs: number;
  readonly transport: "udp" | "tcp";
  readonly health: UpstreamHealth;
}

/** Without an answer for so long, in ms, an upstream is silent, and the next one is asked beside it. */
const PATIENCE_MS = 700;

/**
 * Asks one upstream after the other, and returns the first usable response, under the client's id. A refusal or failure of one
 * upstream is kept while others are tried. `undefined` when no upstream answered.
 */
export function forward(packet: Buffer, query: Query, options: ForwardOptions): Promise<Buffer | undefined> {
  const { health, upstreams, timeoutMs } = options;
  const stop = new AbortController();
  const send = options.transport === "udp" ? askUdp : askTcp;
  const ask = (upstream: Upstream, signal?: AbortSignal) => {
    // A fresh id and a fresh source port for each question: what an attacker must guess (RFC 5452).
    const asked = Buffer.from(packet);
    asked.writeUInt16BE(randomInt(65_536), 0);
    const accept = (one: Buffer) => answers(one, asked, query);
    return send(asked, upstream, { timeoutMs, accept, ...(signal && { signal }) });
  };
  const order = health.order(upstreams);
  for (const upstream of health.due(upstreams))
    if (upstream !== order[0]) void ask(upstream).then((response) => response && health.answered(upstream));
  return new Promise((resolve) => {
    let [next, open] = [0, 0];
    let second: Buffer | undefined;
    const finish = (response: Buffer | undefined) => {
      stop.abort();
      resolve(response);
    };
    const start = (): void => {
      const upstream = order[next];
      if (upstream === undefined || stop.signal.aborted) return;
      next += 1;
      open += 1;
      let waited = false;
      const timer = setTimeout(
        () => {
          waited = true;
          health.silent(upstream);
          start();
        },
        Math.min(PATIENCE_MS, timeoutMs),
      );
      void ask(upstream, stop.signal).then((response) => {
        clearTimeout(timer);
        open -= 1;
        if (stop.signal.aborted) return;
        if (response === undefined) health.silent(upstream);
        else {
          health.answered(upstream);
          const own = Buffer.from(response);
          own.writeUInt16BE(query.id, 0);
          const rcode = own.readUInt16BE(2) & 15;
          if (rcode === 0 || rcode === 3) return finish(own);
          second ??= own;
        }
        if (!waited) start();
        if (open === 0) finish(second);
      });
    };
    start();
    if (open === 0) finish(undefined);
  });
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

interface Asking {
  readonly timeoutMs: number;
  accept(response: Buffer): boolean;
  /** Another upstream has answered. */
  readonly signal?: AbortSignal;
}

function askUdp(
  asked: Buffer,
  upstream: Upstream,
  { timeoutMs, accept, signal }: Asking,
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
    signal?.addEventListener("abort", () => done(), { once: true });
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
  { timeoutMs, accept, signal }: Asking,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = tcpConnect(upstream.port, upstream.address);
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    signal?.addEventListener("abort", () => socket.destroy(), { once: true });
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
