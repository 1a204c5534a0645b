import { type Duplex, Writable } from "node:stream";
import { type ErrorBody, PloyzError as WireError } from "@ployz/errors";
import {
  type ClientTarget,
  connection,
  errorOf,
  headersOf,
  httpRequest,
  readAll,
  unreachable,
} from "../client/http.ts";
import { PloyzError } from "../error-codes.ts";
import type { StreamAsk, StreamOpened, TerminalSize } from "./ask.ts";
import { type Channel, drained, openChannel } from "./channel.ts";
import { CREDIT_BYTES, FRAME } from "./frames.ts";

export interface StreamOutput {
  readonly output: Writable;
  readonly errors: Writable;
  /** The other side has closed its output. */
  onEnd?(): void;
}

/** The caller's end of a stream. */
export interface OpenStream {
  readonly opened: StreamOpened;
  /** Waits for the program when it does not read. Ending it is the end of the program's input. */
  readonly input: Writable;
  /** Tells the program the size of its terminal. */
  resize(size: TerminalSize): void;
  /** Sends a signal to the program. */
  signal(name: NodeJS.Signals): void;
  /** Writes output until the end. Resolves with the exit code; fails when the connection breaks, which kills the program. */
  pump(to: StreamOutput): Promise<number>;
  /** Ends the stream. */
  close(): void;
}

/** The path of the local API that opens a stream. */
export const STREAM_PATH = "/v1/streams";
/** The value of the `Upgrade` header. */
export const STREAM_PROTOCOL = "ployz-stream/1";

/** Opens a stream through a daemon. @throws PloyzError the daemon's own, or `daemon_unreachable`. */
export async function openStream(
  target: ClientTarget,
  ask: StreamAsk,
  signal?: AbortSignal,
): Promise<OpenStream> {
  const socket = await upgrade(target, STREAM_PATH, signal);
  const channel = openChannel(socket);
  signal?.addEventListener("abort", channel.destroy, { once: true });
  try {
    await channel.send(FRAME.ask, JSON.stringify(ask));
    const first = await channel.frames.next();
    if (first.done === true) throw lost();
    const { kind, payload } = first.value;
    if (kind === FRAME.error) throw new WireError(JSON.parse(payload.toString("utf8")) as ErrorBody);
    if (kind !== FRAME.opened) throw new Error(`the stream began with a frame ${kind}`);
    return callerEnd(channel, JSON.parse(payload.toString("utf8")) as StreamOpened);
  } catch (error) {
    channel.destroy();
    throw unreachable(target, error, signal);
  }
}

function callerEnd(channel: Channel, opened: StreamOpened): OpenStream {
  let credit = CREDIT_BYTES;
  let granted = () => {};
  const input = new Writable({
    write(chunk: Buffer, _encoding, done) {
      const send = async () => {
        for (let at = 0; at < chunk.length; ) {
          while (credit === 0)
            await new Promise<void>((resolve) => {
              granted = resolve;
            });
          const piece = chunk.subarray(at, at + credit);
          credit -= piece.length;
          at += piece.length;
          await channel.send(FRAME.input, piece);
        }
      };
      send().then(() => done(), done);
    },
    final(done) {
      channel.send(FRAME.inputEnd).then(() => done(), done);
    },
  });
  return {
    opened,
    input,
    resize: (size) => void channel.send(FRAME.resize, JSON.stringify(size)),
    signal: (name) => void channel.send(FRAME.signal, name),
    async pump({ output, errors, onEnd }) {
      try {
        for await (const { kind, payload } of channel.frames) {
          if (kind === FRAME.output || kind === FRAME.errors) {
            const to = kind === FRAME.output ? output : errors;
            if (!to.destroyed && !to.write(payload)) await drained(to);
          } else if (kind === FRAME.outputEnd) onEnd?.();
          else if (kind === FRAME.credit) {
            credit += Number(payload.toString("utf8"));
            granted();
          } else if (kind === FRAME.exit) return Number(payload.toString("utf8"));
          else if (kind === FRAME.error)
            throw new WireError(JSON.parse(payload.toString("utf8")) as ErrorBody);
        }
      } catch (error) {
        if (error instanceof WireError) throw error;
        throw lost(error);
      } finally {
        channel.destroy();
      }
      throw lost();
    },
    close: channel.destroy,
  };
}

const lost = (cause?: unknown) =>
  new PloyzError(
    {
      code: "stream_lost",
      message: "lost the connection before the program ended; the program was killed",
      hint: "check the machine: ployzctl machine ls",
    },
    { cause },
  );

/** A connection that has left HTTP behind (RFC 9110, 7.8). */
function upgrade(target: ClientTarget, path: string, signal?: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      ...connection(target),
      ...{ method: "POST", path },
      headers: {
        ...{ host: "ployzd", connection: "Upgrade", upgrade: STREAM_PROTOCOL },
        ...headersOf(target),
      },
      ...(signal && { signal }),
    });
    request.on("error", (error) => reject(unreachable(target, error, signal)));
    request.on("upgrade", (_response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    request.on("response", (response) => {
      void readAll(response).then((text) => {
        const error = errorOf(text) ?? {
          code: "internal",
          message: `the daemon answered ${response.statusCode}`,
        };
        reject(new WireError(error));
      }, reject);
    });
    request.end();
  });
}
