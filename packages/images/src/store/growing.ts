import { type FileHandle, open } from "node:fs/promises";
import { Readable } from "node:stream";

/** A transfer that others may follow: what it has written can be read before its end. */
export interface Growing {
  /** Further bytes are in its file. */
  advance(count: number): void;
  /** False: they are not the blob's. */
  end(right: boolean): void;
}

/** Which blobs are on their way here, and what of them has arrived. In memory: a transfer ends with its process. */
export interface GrowingBlobs {
  /** These will be asked for soon. The returned function takes it back. */
  expect(blobs: readonly { readonly digest: string; readonly size: number }[]): () => void;
  /** A transfer writes to `file`, which becomes `whole` at its end, and has `offset` bytes of it. */
  begin(digest: string, paths: { readonly file: string; readonly whole: string }, offset: number): Growing;
  /** Waits at most so many ms for the blob to be expected or to begin; its size then. */
  coming(digest: string, waitMs: number, signal: AbortSignal): Promise<number | undefined>;
  /** From an offset on, up to `size`, as it arrives; breaks when the transfer fails. Nothing of it is verified: whoever reads it does that. */
  read(digest: string, offset: number, size: number): Readable;
}

const CHUNK = 256 * 1024;

interface Part {
  readonly file: string;
  readonly whole: string;
  written: number;
  state: "runs" | "ended" | "failed";
}

export function openGrowing(): GrowingBlobs {
  const expected = new Map<string, { readonly size: number; users: number }>();
  const parts = new Map<string, Part>();
  const waiting = new Set<() => void>();
  const changed = () => {
    for (const wake of [...waiting]) wake();
  };

  /** Resolves at the next change, or when the signal aborts. */
  const change = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const wake = () => {
        waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      waiting.add(wake);
      signal.addEventListener("abort", wake, { once: true });
      if (signal.aborted) wake();
    });

  async function* follow(digest: string, offset: number, size: number, signal: AbortSignal) {
    while (!parts.has(digest) && expected.has(digest) && !signal.aborted) await change(signal);
    const part = parts.get(digest);
    if (part === undefined) throw new Error(`${digest} does not arrive here any more`);
    let file: FileHandle | undefined;
    try {
      for (let at = offset; at < size; ) {
        while (part.written <= at && part.state === "runs" && !signal.aborted) await change(signal);
        if (signal.aborted) return;
        if (part.state === "failed") throw new Error(`the transfer of ${digest} to this machine has failed`);
        // Its first bytes have made it.
        file ??= await open(part.file, "r").catch(() => open(part.whole, "r"));
        const buffer = Buffer.allocUnsafe(Math.min(CHUNK, part.written - at));
        const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
        if (bytesRead === 0) throw new Error(`the transfer of ${digest} to this machine has ended early`);
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file?.close();
    }
  }

  return {
    expect(blobs) {
      for (const { digest, size } of blobs) {
        const known = expected.get(digest);
        if (known === undefined) expected.set(digest, { size, users: 1 });
        else known.users += 1;
      }
      changed();
      return () => {
        for (const { digest } of blobs) {
          const known = expected.get(digest);
          if (known !== undefined && --known.users === 0) expected.delete(digest);
        }
        changed();
      };
    },
    begin(digest, paths, offset) {
      const part: Part = { ...paths, written: offset, state: "runs" };
      parts.set(digest, part);
      changed();
      return {
        advance(count) {
          part.written += count;
          changed();
        },
        end(right) {
          part.state = right ? "ended" : "failed";
          if (parts.get(digest) === part) parts.delete(digest);
          changed();
        },
      };
    },
    async coming(digest, waitMs, signal) {
      const until = AbortSignal.any([signal, AbortSignal.timeout(waitMs)]);
      while (!expected.has(digest) && !until.aborted) await change(until);
      return expected.get(digest)?.size;
    },
    read(digest, offset, size) {
      const ended = new AbortController();
      const stream = Readable.from(follow(digest, offset, size, ended.signal), { objectMode: false });
      return stream.once("close", () => ended.abort());
    },
  };
}
