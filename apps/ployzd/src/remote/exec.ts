import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Client, ClientChannel } from "ssh2";
import { PloyzError } from "../error-codes.ts";

export interface SshResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

const OUTPUT_LIMIT = 4 * 1024 * 1024;

/** Runs a command line over an open connection. @throws PloyzError `ssh_unreachable` when it ends without an exit code. */
export async function execOn(
  client: Client,
  where: string,
  command: string,
  options: {
    readonly stdin?: string | Readable;
    readonly signal: AbortSignal;
    /** The cause of a broken connection. */
    loss(): Error | undefined;
  },
): Promise<SshResult> {
  options.signal.throwIfAborted();
  const lost = (cause: Error | undefined = options.loss()) =>
    new PloyzError(
      {
        code: "ssh_unreachable",
        message: `${where}: the connection was lost${cause === undefined ? "" : `: ${cause.message}`}`,
        hint: "run the same command again",
      },
      { cause },
    );
  const { channel, ended } = await new Promise<Running>((resolve, reject) => {
    client.exec(command, (error, opened) => (error ? reject(lost(error)) : resolve(listen(opened))));
  });
  const abort = () => {
    channel.destroy();
    client.destroy();
  };
  options.signal.addEventListener("abort", abort, { once: true });
  try {
    if (options.stdin === undefined || typeof options.stdin === "string") channel.end(options.stdin ?? "");
    else await pipeline(options.stdin, channel, { end: true }).catch(() => {}); // exit code and stderr tell the cause
    const { exitCode, ...said } = await ended;
    options.signal.throwIfAborted();
    if (exitCode === undefined) throw lost();
    return { ...said, exitCode };
  } finally {
    options.signal.removeEventListener("abort", abort);
  }
}

interface Running {
  readonly channel: ClientChannel;
  /** Without an exit code: the connection broke. */
  readonly ended: Promise<Omit<SshResult, "exitCode"> & { readonly exitCode: number | undefined }>;
}

/** Listen in the turn in which the channel opens: that packet may contain all output of a short command. */
function listen(channel: ClientChannel): Running {
  let stdout = "";
  let stderr = "";
  let exitCode: number | undefined;
  channel.on("data", (chunk: Buffer) => {
    stdout = (stdout + chunk.toString("utf8")).slice(-OUTPUT_LIMIT);
  });
  channel.stderr.on("data", (chunk: Buffer) => {
    stderr = (stderr + chunk.toString("utf8")).slice(-65_536);
  });
  channel.on("exit", (exit: number | null) => {
    exitCode = exit ?? 255;
  });
  const ended: Running["ended"] = new Promise((resolve) => {
    channel.on("close", () => resolve({ stdout, stderr, exitCode }));
  });
  return { channel, ended };
}
