import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type BlobSource, MAX_MANIFEST_BYTES, readAtMost } from "@ployz/images";
import type { Machines, TransferOffer } from "@ployz/primitives/protocol";
import type { Images } from "@ployz/runtime";
import { PloyzError } from "../error-codes.ts";
import type { Fetch } from "../transfer/server.ts";

export interface PeerDeps {
  readonly self: string;
  readonly machines: Machines;
  readonly fetch: Fetch;
}

/** Other machines as sources, over the transfer port with one token an object. */
export interface Peers {
  source(machine: string): BlobSource;
  /** Also of blobs that are only on their way there. */
  growing(machine: string): BlobSource;
  /** `undefined`: it does not have it, or it is no manifest. */
  manifest(machine: string, digest: string, signal: AbortSignal): Promise<Buffer | undefined>;
  /** Imports what another machine's engine has: the bytes, or `undefined` when none has it. */
  archive(
    image: { readonly ref: string; readonly digest: string; readonly sources: readonly string[] },
    engine: Images,
    signal: AbortSignal,
  ): Promise<number | undefined>;
}

export function imagePeers({ self, machines, fetch }: PeerDeps): Peers {
  async function open(machine: string, offer: TransferOffer, signal: AbortSignal) {
    if (machine === self) return undefined;
    const answer = await machines.call(machine, "transfer.offer", offer, { timeoutMs: 10_000, signal });
    return answer === null ? undefined : fetch(machine, answer.token, signal);
  }
  const blobsOf = (machine: string, growing: boolean): BlobSource => ({
    name: machine,
    open: ({ digest }, offset, signal) =>
      open(machine, { kind: "blob", digest, offset, machine: self, ...(growing && { growing }) }, signal),
  });
  return {
    source: (machine) => blobsOf(machine, false),
    growing: (machine) => blobsOf(machine, true),
    async manifest(machine, digest, signal) {
      const stream = await open(machine, { kind: "blob", digest, offset: 0, machine: self }, signal);
      if (stream === undefined) return undefined;
      return readAtMost(stream as AsyncIterable<Buffer>, MAX_MANIFEST_BYTES);
    },
    async archive({ ref, digest, sources }, engine, signal) {
      const failures: unknown[] = [];
      for (const machine of sources) {
        try {
          const stream = await open(machine, { kind: "image", digest, machine: self }, signal);
          if (stream === undefined) continue;
          const { id, bytes } = await imported(engine, stream, signal);
          if (id === digest || (await engine.has(digest))) return bytes;
          throw new PloyzError({
            code: "digest_mismatch",
            message: `${ref} is ${id} here, not ${digest}`,
            hint: "push the image: ployzctl image push NAME gives it the same digest on every engine",
          });
        } catch (error) {
          signal.throwIfAborted();
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
      return undefined;
    },
  };
}

async function imported(engine: Images, stream: NodeJS.ReadableStream, signal: AbortSignal) {
  let bytes = 0;
  // A listener on the source would start its flow before the import reads it, and lose its first bytes.
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      bytes += chunk.length;
      next(null, chunk);
    },
  });
  const [{ id }] = await Promise.all([
    engine.import(counted, { signal }).finally(() => counted.resume()), // what comes after the archive's end
    pipeline(stream, counted, { signal }),
  ]);
  return { id, bytes };
}
