import { createSocket } from "node:dgram";
import { PloyzError } from "../error-codes.ts";
import { openLogFiles } from "./files.ts";
import { accessKey } from "./key.ts";
import { accessLine, type Upstreams } from "./record.ts";

/** Where lines come from and go to. */
export interface CollectOptions {
  /** The gateway's folder. */
  readonly gatewayDir: string;
  /** As the gateway has it. */
  readonly port: number;
  /** Of the log's files. */
  readonly dir: string;
  readonly keepBytes: number;
  readonly upstreams: Upstreams;
  /** The first of errors in a row. */
  readonly onError: (error: unknown) => void;
}

/** Takes the lines of a gateway's access log, and writes them to files of bounded size. */
export interface Collector {
  /** Lines that could not be written. */
  lost(): number;
  /** Resolves when all received lines are written. */
  close(): Promise<void>;
}

/** Bytes of lines that wait in the kernel while this process is busy. */
const BUFFER_BYTES = 4 * 1024 * 1024;

/** @throws PloyzError `listen_failed`. */
export async function collectAccess(options: CollectOptions): Promise<Collector> {
  const { dir, keepBytes, port, upstreams, onError } = options;
  const key = await accessKey(options.gatewayDir);
  const files = await openLogFiles(dir, { keepBytes, onError });
  const socket = createSocket({ type: "udp4", recvBufferSize: BUFFER_BYTES });
  socket.on("message", (message) => {
    const line = accessLine(message.toString("utf8"), key, upstreams);
    if (line !== undefined) files.append(line);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", (error) =>
      reject(
        new PloyzError(
          {
            code: "listen_failed",
            message: `the access log cannot take lines on UDP port ${port} of 127.0.0.1: ${error.message}`,
            hint: `find the program that has it: ss -lunp 'sport = :${port}'`,
          },
          { cause: error },
        ),
      ),
    );
    socket.bind({ address: "127.0.0.1", port, exclusive: true }, resolve);
  });
  socket.removeAllListeners("error");
  socket.on("error", onError);
  return {
    lost: files.lost,
    async close() {
      await new Promise<void>((resolve) => socket.close(resolve));
      await files.close();
    },
  };
}
