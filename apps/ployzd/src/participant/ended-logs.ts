import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { LogLine, Runtime } from "@ployz/runtime";
import { serialise } from "../state/files.ts";

/** An instance that has ended here, and whose log is kept. */
export interface EndedInstance {
  readonly instance: string;
  readonly namespace: string;
  readonly service: string;
  /** When it was removed. Epoch milliseconds. */
  readonly endedMs: number;
}

export interface LogRange {
  /** Only the last so many lines; all when absent. */
  readonly tail?: number;
  /** Epoch milliseconds, both inclusive. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

export interface LogKeep {
  readonly days: number;
  /** Of all kept logs. */
  readonly bytes: number;
}

/** The logs of instances that were removed: replaced ones, failed ones, jobs and runs that have ended. */
export interface EndedLogs {
  /** Keeps an instance's log; to be called before its removal. */
  keep(id: string): Promise<void>;
  list(namespace: string, service?: string): Promise<readonly EndedInstance[]>;
  read(instance: string, range: LogRange): AsyncIterable<LogLine>;
}

/** Most bytes that are kept of one instance. */
const INSTANCE_BYTES = 16 * 1024 * 1024;
const NAME = /^[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+){1,3}$/;

export function openEndedLogs(dir: string, runtime: Runtime, keep: LogKeep, now: () => number): EndedLogs {
  const file = (instance: string) => join(dir, `${instance}.ndjson`);
  const inTurn = serialise(); // many end at once: the disk is the bottleneck, and memory stays that of one

  async function copy(id: string): Promise<void> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const path = `${file(id)}.new`;
    let bytes = 0;
    let handle = await open(path, "w", 0o600);
    let older = false;
    try {
      for await (const line of runtime.logs(id)) {
        const text = `${JSON.stringify(line)}\n`;
        // A log of several halves keeps its last two.
        if (bytes + text.length > INSTANCE_BYTES / 2) {
          await handle.close();
          await rename(path, `${file(id)}.older`);
          handle = await open(path, "w", 0o600);
          older = true;
          bytes = 0;
        }
        bytes += text.length;
        await handle.appendFile(text);
      }
    } finally {
      await handle.close();
    }
    if (older) await rename(`${file(id)}.older`, `${file(id)}.0`);
    await rename(path, file(id));
  }

  return {
    keep: (id) =>
      inTurn(async () => {
        const { state, labels } = await runtime.inspect(id);
        if (state === "absent" || labels.namespace === undefined || labels.service === undefined) return;
        if (!NAME.test(id)) return;
        await copy(id);
        await prune(dir, keep, now());
      }),
    async list(namespace, service) {
      const names = await readdir(dir).catch(() => []);
      const begin = service === undefined ? `${namespace}.` : `${namespace}.${service}.`;
      const found = await Promise.all(
        names
          .filter((name) => name.startsWith(begin) && name.endsWith(".ndjson"))
          .map(async (name) => {
            const instance = name.slice(0, -".ndjson".length);
            const info = await stat(join(dir, name)).catch(() => undefined);
            const of = instance.split(".")[1] ?? "";
            return info && { instance, namespace, service: of, endedMs: info.mtimeMs };
          }),
      );
      return found.filter((one) => one !== undefined);
    },
    async *read(instance, { tail, sinceMs = 0, untilMs = Number.POSITIVE_INFINITY }) {
      if (!NAME.test(instance)) return;
      const last: LogLine[] = [];
      for (const path of [`${file(instance)}.0`, file(instance)]) {
        if ((await stat(path).catch(() => undefined)) === undefined) continue;
        for await (const text of createInterface({ input: createReadStream(path), crlfDelay: 0 })) {
          const line = JSON.parse(text) as LogLine;
          const at = Date.parse(line.time);
          if (at < sinceMs || at > untilMs) continue;
          if (tail === undefined) yield line;
          else if (last.push(line) > 2 * tail) last.splice(0, last.length - tail);
        }
      }
      if (tail !== undefined) yield* last.slice(Math.max(0, last.length - tail));
    },
  };
}

/** Removes logs that are too old, and the oldest ones of too many bytes. */
async function prune(dir: string, { days, bytes }: LogKeep, now: number): Promise<void> {
  const files = await Promise.all(
    (await readdir(dir)).map(async (name) => {
      const path = join(dir, name);
      const info = await stat(path).catch(() => undefined);
      return { path, at: info?.mtimeMs ?? 0, size: info?.size ?? 0 };
    }),
  );
  let total = 0;
  for (const { path, at, size } of files.sort((a, b) => b.at - a.at)) {
    total += size;
    if (total > bytes || at < now - days * 24 * 3_600_000) await rm(path, { force: true });
  }
}
