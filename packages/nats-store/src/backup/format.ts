import type { StreamConfig } from "@nats-io/jetstream";
import { PloyzError } from "../error-codes.ts";

/** One stream of a backup, as described by the server it was copied from. */
export interface BackupStream {
  readonly name: string;
  readonly config: StreamConfig;
  readonly state: {
    readonly messages: number;
    readonly bytes: number;
    readonly first_seq: number;
    readonly last_seq: number;
    readonly [field: string]: unknown;
  };
  /** Over each message's sequence, subject, headers and data; absent for leases, which expire during the copy. */
  readonly contents?: string;
}

/** What a backup holds, and of which store. */
export interface BackupManifest {
  readonly v: 1;
  readonly cluster: string;
  readonly generation: number;
  readonly lineage: string;
  /** Versions of the programs that wrote it, by name. */
  readonly versions: Readonly<Record<string, string>>;
  /** RFC 3339, by the clock of the machine that wrote it. */
  readonly createdAt: string;
  /** No write happened between the first stream's copy and the last one's. */
  readonly consistent: boolean;
  readonly streams: readonly BackupStream[];
  /** The key that encrypts its secrets; only in an encrypted backup. */
  readonly sealKey?: string;
}

/** The body of a backup: frames of a length (4 bytes, big-endian), a type (1 byte) and that many bytes. */
export const frameTypes = { stream: 1, data: 2, manifest: 3 } as const;

export interface Frame {
  readonly type: number;
  readonly data: Buffer;
}

export const frame = (type: number, data: Uint8Array): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(data.length);
  head.writeUInt8(type, 4);
  return Buffer.concat([head, data]);
};

/** Larger than any written chunk; a damaged length must not allocate gigabytes. */
const longestFrame = 16 * 1024 * 1024;

export async function* readFrames(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Frame, void> {
  let kept = Buffer.alloc(0);
  for await (const chunk of bytes) {
    kept = Buffer.concat([kept, chunk]);
    while (kept.length >= 5) {
      const length = kept.readUInt32BE(0);
      if (length > longestFrame) throw invalid("a chunk exceeds the maximum length");
      if (kept.length < 5 + length) break;
      yield { type: kept.readUInt8(4), data: kept.subarray(5, 5 + length) };
      kept = kept.subarray(5 + length);
    }
  }
  if (kept.length > 0) throw invalid("it is truncated");
}

export const invalid = (why: string, cause?: unknown) =>
  new PloyzError(
    {
      code: "backup_invalid",
      message: `the backup cannot be used: ${why}`,
      hint: "copy it again from its origin, or use another backup",
    },
    cause === undefined ? undefined : { cause },
  );

export const wrongKey = (message: string) =>
  new PloyzError({
    code: "backup_wrong_key",
    message,
    hint: "pass the passphrase with which the backup was written",
  });
