import { appendFile, mkdir, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { readFileIfThere } from "@ployz/exec";
import type { AuditEntry } from "@ployz/primitives/client";
import { type Channel, channel } from "../channel.ts";
import { serialise } from "./files.ts";

/** The changing calls that this machine has obeyed, in a file that is kept to a bounded size. */
export interface Audit {
  /** Never fails: a full disk must not stop the call. */
  write(entry: AuditEntry): void;
  /** The last entries, oldest first, then new ones if `follow`. */
  read(
    options: { readonly tail: number; readonly follow: boolean },
    signal: AbortSignal,
  ): AsyncIterable<AuditEntry>;
}

/** Two files of this size at most. */
const MAX_BYTES = 4 * 2 ** 20;

export function openAudit(path: string, log: (error: unknown) => void, maxBytes = MAX_BYTES): Audit {
  const inTurn = serialise();
  const watchers = new Set<Channel<AuditEntry>>();
  const append = async (entry: AuditEntry): Promise<void> => {
    await mkdir(dirname(path), { recursive: true });
    const size = await stat(path).then(
      (found) => found.size,
      () => 0,
    );
    if (size >= maxBytes) await rename(path, `${path}.1`);
    await appendFile(path, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
  };
  const last = async (tail: number): Promise<readonly AuditEntry[]> => {
    const texts = await Promise.all([readFileIfThere(`${path}.1`), readFileIfThere(path)]);
    const lines = texts.flatMap((text) => (text ?? "").split("\n")).filter((line) => line !== "");
    return lines.slice(Math.max(0, lines.length - tail)).flatMap(parse);
  };
  return {
    write(entry) {
      for (const watcher of watchers) watcher.push(entry);
      inTurn(() => append(entry)).catch(log);
    },
    async *read({ tail, follow }, signal) {
      const events = channel<AuditEntry>();
      if (follow) watchers.add(events);
      const leave = () => events.end();
      signal.addEventListener("abort", leave, { once: true });
      try {
        const past = await inTurn(() => last(tail));
        yield* past;
        if (follow) yield* events;
      } finally {
        watchers.delete(events);
        signal.removeEventListener("abort", leave);
      }
    },
  };
}

/** A line that a power cut has cut is left out. */
function parse(line: string): readonly AuditEntry[] {
  try {
    return [JSON.parse(line) as AuditEntry];
  } catch {
    return [];
  }
}
