import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { ExecError, spawnStream, waitFor } from "@ployz/exec";
import { argv } from "./argv.ts";
import type { ZfsCapabilities } from "./capabilities.ts";
import { findDataset, getDataset } from "./datasets.ts";
import { checkGuid } from "./destroy.ts";
import { PloyzError } from "./error-codes.ts";
import { zfsError } from "./errors.ts";
import { checkDatasetName } from "./names.ts";
import type { Dataset } from "./parse.ts";
import { peek } from "./peek.ts";
import { nativeProperties, type SettableProperties } from "./properties.ts";
import { checkDestination, type Destination, explain, lookAt } from "./receive-checks.ts";
import { setReceived } from "./set-received.ts";
import { HEADER_BYTES, parseStreamHeader, type StreamHeader } from "./stream-header.ts";

/** The stream, and where it goes. */
export interface ReceiveOptions {
  readonly dataset: string;
  readonly stream: Readable;
  /** The expected snapshot: its name after the `@`, and its guid. A destination that already has it is `unchanged`. Always pass it. */
  readonly expect?: { readonly snapshot: string; readonly guid: string };
  /** Keeps the partial data of an interrupted stream; `resumeToken` then continues it. No effect without the feature `resume_tokens`. */
  readonly resumable?: boolean;
  /** Set with the receive; on zfs-fuse right after it. */
  readonly properties?: SettableProperties;
  /**
   * Discards everything written to the destination since its newest snapshot, which must be the stream's base. Only for a caller who knows
   * that none of it matters. Never destroys newer snapshots: use `rollback` for that.
   */
  readonly force?: "rollback-to-base";
  /** Gets the bytes so far. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

/** What the stream made. */
export interface Received {
  /** `unchanged`: the snapshot already existed, and the stream was discarded. */
  readonly outcome: "received" | "unchanged";
  /** Of the stream. */
  readonly bytes: number;
  readonly snapshot: Dataset;
}

/**
 * Receives a stream into a new dataset, or an increment into one that has its base. Never mounts, never rolls back without `force`, and
 * reads the stream's first record before it changes anything. An interrupted stream leaves nothing behind. The stream is consumed or
 * destroyed in every case.
 * @throws PloyzError `destination_exists`, `destination_modified`, `destination_partial`, `base_missing`, `guid_mismatch`, `stream_invalid`,
 *   `receive_interrupted` (broken off, aborted), `no_space`, `quota_exceeded`, `parent_missing`, …
 */
export async function receive(capabilities: ZfsCapabilities, options: ReceiveOptions): Promise<Received> {
  const { stream, signal } = options;
  stream.on("error", () => {}); // the error thrown here reports it
  try {
    const received = await receiveChecked(capabilities, options);
    stream.destroy();
    return received;
  } catch (error) {
    const known = signal?.aborted ? aborted(options) : error;
    stream.destroy(known as Error); // so that a sender on this machine reports the same reason
    throw known;
  }
}

async function receiveChecked(capabilities: ZfsCapabilities, options: ReceiveOptions): Promise<Received> {
  const { dataset, expect, properties } = options;
  checkDatasetName(dataset);
  nativeProperties(properties ?? {});
  const call = options.signal ? { signal: options.signal } : {};
  const before = await lookAt(capabilities, dataset, call);
  const has = (guid: string | undefined) => before.snapshots.find((one) => one.guid === guid);
  const unchanged = async (snapshot: Dataset): Promise<Received> => {
    if (properties !== undefined) await setReceived(dataset, properties, call);
    return { outcome: "unchanged", bytes: 0, snapshot };
  };
  const expected = has(expect?.guid);
  if (expected !== undefined) return unchanged(expected);
  const header = await readHeader(options);
  const same = has(header.guid);
  if (same !== undefined) return unchanged(same);
  checkDestination(dataset, before, header, options);
  const bytes = await feed(capabilities, options, before, header);
  const snapshot = await getDataset(`${dataset}@${header.snapshot.split("@")[1]}`, {
    ...call,
    userProperties: [],
  });
  checkGuid(snapshot, expect?.guid ?? header.guid);
  if (properties !== undefined && !capabilities.features.has("receive_properties")) {
    await setReceived(dataset, properties, call);
  }
  return { outcome: "received", bytes, snapshot };
}

async function readHeader(options: ReceiveOptions): Promise<StreamHeader> {
  const { dataset, stream, expect, signal } = options;
  const onAbort = () => stream.destroy(aborted(options)); // wakes peek
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    signal?.throwIfAborted();
    const first = await peek(stream, HEADER_BYTES);
    if (first.length < HEADER_BYTES) throw interrupted(dataset, "the stream ended before it began");
    const header = parseStreamHeader(first);
    if (header === undefined) {
      throw new PloyzError({
        code: "stream_invalid",
        message: `${dataset}: the received data is not a ZFS stream`,
      });
    }
    const name = header.snapshot.split("@")[1];
    if (expect !== undefined && (name !== expect.snapshot || (header.guid ?? expect.guid) !== expect.guid)) {
      throw new PloyzError({
        code: "guid_mismatch",
        message: `${dataset}: the stream holds ${header.snapshot} with guid ${header.guid}, not ${expect.snapshot} with ${expect.guid}`,
        hint: "it was replaced since the plan was made; run the command again",
      });
    }
    return header;
  } catch (error) {
    throw error instanceof PloyzError ? error : interrupted(dataset, "the stream broke off", error);
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

/** @returns the bytes of the stream. */
async function feed(
  capabilities: ZfsCapabilities,
  options: ReceiveOptions,
  before: Destination,
  header: StreamHeader,
): Promise<number> {
  const { dataset, stream, signal } = options;
  const native = nativeProperties(options.properties ?? {});
  const resumable = options.resumable === true && capabilities.features.has("resume_tokens");
  const { program, args } = argv.receive(dataset, {
    resumable,
    rollBack: options.force !== undefined,
    properties: capabilities.features.has("receive_properties") ? native : {},
  });
  const child = spawnStream(program, args, { env: { LC_ALL: "C" } });
  child.stdout.resume();
  child.stdin.on("error", () => {}); // zfs exited first; its error names the cause
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    options.onProgress?.(bytes);
  });
  stream.pipe(child.stdin);
  // Close only the pipe: zfs then removes the partial dataset and exits. After a kill the removal would finish later, unobserved.
  const cut = () => {
    if (!stream.readableEnded) child.stdin.destroy();
  };
  const onAbort = () => stream.destroy(aborted(options));
  stream.once("close", cut);
  signal?.addEventListener("abort", onAbort, { once: true });
  if (stream.destroyed) cut();
  if (signal?.aborted) onAbort();
  try {
    await child.done;
    await ended(stream);
    return bytes;
  } catch (error) {
    stream.unpipe(child.stdin);
    child.stdin.destroy(); // after a kill the other end is still open: zfs-fuse's daemon reads it directly
    if (!before.exists && !resumable) await untilGone(dataset);
    if (stream.destroyed && !stream.readableEnded) {
      throw interrupted(dataset, "the stream broke off", stream.errored);
    }
    if (error instanceof ExecError && error.signal !== undefined) {
      throw interrupted(dataset, `zfs receive was killed by ${error.signal}`, error);
    }
    throw await explain(zfsError(error, dataset), dataset, header);
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

/** zfs has everything it needs, but the end of the stream may still be in flight, and its sender waits until it is read. */
async function ended(stream: Readable): Promise<void> {
  stream.resume();
  if (!stream.destroyed && !stream.readableEnded) await finished(stream, { writable: false }).catch(() => {});
}

/** If zfs was killed, ZFS removes the unfinished dataset asynchronously. */
async function untilGone(dataset: string): Promise<void> {
  await waitFor(
    `${dataset} to disappear`,
    async () => ((await findDataset(dataset, { userProperties: [] })) === undefined ? true : undefined),
    {
      timeoutMs: 5_000,
    },
  ).catch((error: unknown) => {
    if (!(error instanceof PloyzError)) throw error; // the failure of the receive is the one to report
  });
}

function aborted({ dataset, signal }: ReceiveOptions): PloyzError {
  return interrupted(dataset, "receiving was aborted", signal?.reason);
}

function interrupted(dataset: string, why: string, cause?: unknown): PloyzError {
  return new PloyzError(
    {
      code: "receive_interrupted",
      message: `${dataset}: ${why}`,
      hint: "send again, with the resume token if there is one",
    },
    { cause },
  );
}
