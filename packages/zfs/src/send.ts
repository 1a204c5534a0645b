import { PassThrough, type Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { spawnStream } from "@ployz/exec";
import { argv, type SendArguments } from "./argv.ts";
import { type CallOptions, call } from "./call.ts";
import { requireFeature, type ZfsCapabilities } from "./capabilities.ts";
import { getDataset } from "./datasets.ts";
import { PloyzError } from "./error-codes.ts";
import { hasCode, zfsError } from "./errors.ts";
import type { Dataset } from "./parse.ts";

/** The snapshot, and how to write its stream. */
export interface SendOptions extends SendArguments {
  /** Continues an interrupted receive; the token includes `base` and the other options. Feature `resume_tokens`. */
  readonly resumeToken?: string;
  /**
   * Sends blocks as stored on disk, without decompressing them. Only valid when the receiving ZFS has the feature `send_compressed` too,
   * which the sender cannot know. No effect where this ZFS lacks it.
   */
  readonly compressed?: boolean;
  readonly signal?: AbortSignal;
}

/** A stream that is being sent. */
export interface Sending {
  /** Ends only after everything was sent; otherwise fails with the error of `done`, so a truncated stream never looks complete. */
  readonly stream: Readable;
  /** @throws PloyzError `dataset_missing`, `base_missing`, `send_interrupted` (aborted, or the reader is gone), … */
  readonly done: Promise<void>;
}

/** Buffer between zfs and the reader. Twice the 64 KiB of a pipe keeps both busy; more only costs memory. */
const BUFFER_BYTES = 256 * 1024;

/** Starts to send a snapshot: in full, or the changes since `base`. @throws PloyzError `feature_missing`, `name_invalid`. */
export function send(capabilities: ZfsCapabilities, options: SendOptions): Sending {
  const { program, args, subject } = sendCall(capabilities, options);
  const child = spawnStream(program, args, { env: { LC_ALL: "C" } });
  child.stdin.end();
  const stream = new PassThrough({ highWaterMark: BUFFER_BYTES });
  stream.on("error", () => {}); // a caller that only awaits `done` must not crash
  child.stdout.pipe(stream, { end: false });

  const interrupt = (why: string, cause?: unknown) => {
    stream.destroy(
      new PloyzError({ code: "send_interrupted", message: `${subject}: ${why}` }, { cause: cause as Error }),
    );
  };
  const onAbort = () => interrupt("sending was aborted", options.signal?.reason);
  options.signal?.addEventListener("abort", onAbort, { once: true });
  stream.once("close", () => {
    // zfs-fuse's daemon writes directly and continues after zfs is killed: only closing the pipe stops it.
    child.stdout.destroy();
    child.kill();
  });

  const sent = Promise.all([child.done, finished(child.stdout)]).then(
    () => void stream.end(),
    async (error: unknown) => {
      const said = await child.done.then(
        () => error,
        (failure: unknown) => sendError(failure, subject, options.base),
      );
      stream.destroy(said as Error);
      throw said;
    },
  );
  const done = Promise.all([sent, finished(stream)]).then(
    () => {},
    (error: unknown) => {
      const own = stream.errored instanceof PloyzError ? stream.errored : undefined;
      throw (
        own ??
        new PloyzError(
          { code: "send_interrupted", message: `${subject}: the reader closed the stream` },
          { cause: error as Error },
        )
      );
    },
  );
  done.catch(() => {}); // a caller that only reads the stream sees the error there
  void done.finally(() => options.signal?.removeEventListener("abort", onAbort)).catch(() => {});
  if (options.signal?.aborted === true) onAbort();
  return { stream, done };
}

/** OpenZFS reports a missing base and a missing snapshot alike; the name in its message tells which. */
function sendError(failure: unknown, subject: string, base: string | undefined): unknown {
  const error = zfsError(failure, subject);
  if (base === undefined || !hasCode(error, "dataset_missing") || !error.message.includes(`'${base}'`))
    return error;
  return new PloyzError(
    {
      code: "base_missing",
      message: `${subject}: the base ${base} does not exist`,
      hint: "send from a snapshot that both sides have, or send in full",
    },
    { cause: error },
  );
}

function sendCall(capabilities: ZfsCapabilities, options: SendOptions) {
  if (options.resumeToken !== undefined) {
    requireFeature(capabilities, "resume_tokens", "resume tokens");
    return argv.sendResumed(options.snapshot, options.resumeToken);
  }
  if (options.base?.includes("#")) requireFeature(capabilities, "bookmarks", "bookmarks");
  const compressed = options.compressed === true && capabilities.features.has("send_compressed");
  return argv.send({ ...options, compressed });
}

/** The snapshot, and the base of an increment. */
export interface EstimateOptions extends CallOptions {
  /** The snapshot's name, or the snapshot as just read. */
  readonly snapshot: string | Dataset;
  readonly base?: string;
}

/**
 * Estimates the bytes that `send` will produce. Exact to a few percent with the feature `send_estimate`. Without it a full send counts the
 * snapshot's referenced bytes, and an increment is `undefined`: an old ZFS reports no size between two snapshots.
 */
export async function estimateSend(
  capabilities: ZfsCapabilities,
  { snapshot, base, ...options }: EstimateOptions,
): Promise<number | undefined> {
  if (capabilities.features.has("send_estimate")) {
    const name = typeof snapshot === "string" ? snapshot : snapshot.name;
    const { stdout, stderr } = await call(argv.sendEstimate(name, base), options);
    return parseEstimate(stdout + stderr);
  }
  if (base !== undefined) return undefined;
  const read = { ...options, userProperties: [] };
  return (typeof snapshot === "string" ? await getDataset(snapshot, read) : snapshot).referencedBytes;
}

/** The last line of `zfs send -nvP`: `size<TAB>12345`. Older OpenZFS prints it to stderr, newer to stdout. */
export function parseEstimate(text: string): number | undefined {
  const size = /^size\s+(\d+)$/m.exec(text)?.[1];
  return size === undefined ? undefined : Number(size);
}
