import { statfs } from "node:fs/promises";

/** Why a running server takes no write, if its disk is the reason. Bytes. */
export interface Room {
  /** The last write failed for want of room, or the server holds as much as it allowed itself at its start. */
  readonly full: boolean;
  /** A new start would take writes. */
  readonly enough: boolean;
  readonly freeBytes: number;
  readonly usedBytes: number;
}

/** nats-server allows its streams this share of the room that is free at its start. Source: docs.nats.io, "JetStream", max_file_store. */
const SHARE = 0.75;
/** A server counts as full from here on, as a share of what it allowed itself. */
const FULL = 0.95;
/** It is started again only where this share and these bytes suffice afterwards: less than `FULL`, or it would be started again and again. */
const ROOMY = 0.9;
const SPARE_BYTES = 16 * 1024 * 1024;

/**
 * A server that met a full disk fails every later write to that stream, and one that started on a disk with little room never takes more,
 * also when there is room again: only a new start helps. `undefined`: it does not answer. Source: docs.nats.io, "Monitoring": /healthz, /jsz.
 */
export async function roomOf(monitorPort: number, dir: string): Promise<Room | undefined> {
  const get = async (path: string) =>
    (await fetch(`http://127.0.0.1:${monitorPort}${path}`, {
      signal: AbortSignal.timeout(2_000),
      headers: { connection: "close" },
    }).then((answer) => answer.json())) as Answer;
  try {
    const [health, jetstream] = await Promise.all([get("/healthz"), get("/jsz")]);
    const { bavail, bsize } = await statfs(dir);
    return judge({
      ...{ error: health.error, allowedBytes: jetstream.config?.max_storage },
      ...{ freeBytes: bavail * bsize, usedBytes: jetstream.storage ?? 0 },
    });
  } catch {
    return undefined;
  }
}

/** Pure. */
export function judge({
  error = "",
  allowedBytes = Number.POSITIVE_INFINITY,
  freeBytes,
  usedBytes,
}: {
  readonly error?: string | undefined;
  readonly allowedBytes?: number | undefined;
  readonly freeBytes: number;
  readonly usedBytes: number;
}): Room {
  return {
    full: /no space left on device|insufficient/.test(error) || usedBytes >= allowedBytes * FULL,
    enough: freeBytes * SHARE * ROOMY >= usedBytes + SPARE_BYTES,
    ...{ freeBytes, usedBytes },
  };
}

interface Answer {
  readonly error?: string;
  readonly storage?: number;
  readonly config?: { readonly max_storage?: number };
}
