import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { connect as connectTcp } from "node:net";
import { text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import type { ForwardTarget } from "../config/forward.ts";
import { loki, otlp, type Sender, syslog } from "./encode.ts";
import type { ShippedLine } from "./lines.ts";

/** The server takes no batch longer than this. */
const TAKE_MS = 30_000;
/** The content is wrong for this server, and will be when it is sent again. */
const REFUSED = new Set([400, 413, 422]);
const TOO_LARGE = 413;

/** `refused`: the server will never take this batch; `tooLarge`: it may take parts of it. */
export type Sent = "taken" | { readonly refused: string; readonly tooLarge?: true };

/** @throws Error when the batch has to be sent again. */
export type Send = (lines: readonly ShippedLine[], signal: AbortSignal) => Promise<Sent>;

export interface SendOptions extends Sender {
  /** A file with the certificates that the server's is checked against, instead of the public ones. */
  readonly ca?: string;
}

/** Sends batches to the target. */
export function openSend(target: ForwardTarget, { ca, ...sender }: SendOptions): Send {
  const trusted = async () => (ca === undefined ? {} : { ca: await readFile(ca) });
  if (target.protocol === "syslog")
    return async (lines, signal) => {
      await bySyslog(target, syslog(lines, sender), await trusted(), signal);
      return "taken";
    };
  const encode = target.protocol === "otlp" ? otlp : loki;
  const agent = new (target.tls ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: 1 });
  return async (lines, signal) =>
    byHttp(target, encode(lines, sender), { agent, ...(await trusted()) }, signal);
}

async function byHttp(
  { tls, host, port, path, login }: ForwardTarget,
  body: string,
  options: { readonly agent: HttpAgent; readonly ca?: Buffer },
  signal: AbortSignal,
): Promise<Sent> {
  const asked = (tls ? httpsRequest : httpRequest)({
    ...{ method: "POST", host, port, path, ...options },
    ...(login !== undefined && { auth: login }),
    headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
    signal: AbortSignal.any([signal, AbortSignal.timeout(TAKE_MS)]),
  });
  asked.end(body);
  const [response] = (await once(asked, "response")) as [import("node:http").IncomingMessage];
  const status = response.statusCode ?? 0;
  const said = await text(response);
  if (status >= 200 && status < 300) return "taken";
  // Of a line: what a server answers may be long.
  const why = `HTTP ${status}${said === "" ? "" : `: ${said.split("\n")[0]?.slice(0, 200)}`}`;
  if (REFUSED.has(status)) return { refused: why, ...(status === TOO_LARGE && { tooLarge: true }) };
  throw new Error(why);
}

/**
 * Syslog has no acknowledgement: each batch is a connection of its own, and was taken when the server closes it without an error after
 * this side has ended it.
 */
async function bySyslog(
  { tls, host, port }: ForwardTarget,
  body: Buffer,
  trusted: { readonly ca?: Buffer },
  signal: AbortSignal,
): Promise<void> {
  const socket = tls
    ? connectTls({ host, port, ...(Number.isNaN(Number(host[0])) && { servername: host }), ...trusted })
    : connectTcp({ host, port });
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TAKE_MS)]);
  const stop = () => socket.destroy(new Error("the server did not close the connection after its end"));
  limit.addEventListener("abort", stop, { once: true });
  if (limit.aborted) stop();
  try {
    socket.resume();
    socket.end(body);
    await once(socket, "close"); // or the error, thrown
  } finally {
    limit.removeEventListener("abort", stop);
  }
}
