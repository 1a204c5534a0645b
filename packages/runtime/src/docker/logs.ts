import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type Docker from "dockerode";
import type { LogLine, LogOptions } from "../runtime.ts";
import { engine, engineUnless } from "./errors.ts";
import { frames, logLines } from "./streams.ts";

/** The engine ends a followed log with the container's life: follows the next ones too, until the container is removed. */
export async function* followLives(docker: Docker, id: string, options: LogOptions): AsyncGenerator<LogLine> {
  let last = "";
  for (let next = options; options.signal?.aborted !== true; ) {
    const events = await engine<Readable>(
      "events",
      async () =>
        docker.getEvents({
          filters: { container: [id], event: ["start", "destroy"] },
        }) as unknown as Readable, // typed without destroy()
    );
    const cut = () => events.destroy();
    options.signal?.addEventListener("abort", cut, { once: true });
    try {
      const since = last;
      for await (const line of containerLogs(docker, id, next)) {
        if (line.time <= since) continue;
        last = line.time;
        yield line;
      }
      const found = await engineUnless([404], `inspect ${id}`, () => docker.getContainer(id).inspect());
      if (found === undefined) return;
      if (!found.State.Running) {
        const event = createInterface({ input: events })[Symbol.asyncIterator]().next();
        const { value } = await event.catch(() => ({ value: undefined }));
        if (value === undefined || (JSON.parse(value) as { Action?: string }).Action === "destroy") return;
      }
    } finally {
      options.signal?.removeEventListener("abort", cut);
      cut();
    }
    const { tail: _, ...rest } = options;
    next = last === "" ? rest : { ...rest, sinceMs: Date.parse(last) };
  }
}

export async function* containerLogs(
  docker: Docker,
  id: string,
  options: LogOptions,
): AsyncGenerator<LogLine> {
  const since = options.sinceMs === undefined ? "" : new Date(options.sinceMs).toISOString().slice(0, -1);
  const query = {
    stdout: true,
    stderr: true,
    timestamps: true,
    ...(options.tail !== undefined && { tail: options.tail }),
    ...(options.sinceMs !== undefined && { since: Math.floor(options.sinceMs / 1000) }), // whole seconds; the rest is cut below
  };
  const source = await engine<Buffer | NodeJS.ReadableStream>(`logs of ${id}`, () =>
    options.follow === true
      ? docker.getContainer(id).logs({ ...query, follow: true })
      : docker.getContainer(id).logs({ ...query, follow: false }),
  );
  const stream = Buffer.isBuffer(source) ? undefined : (source as Readable);
  const cut = () => stream?.destroy();
  if (options.signal?.aborted === true) cut();
  options.signal?.addEventListener("abort", cut, { once: true });
  try {
    const chunks: AsyncIterable<Buffer> | Iterable<Buffer> = stream ?? [source as Buffer];
    for await (const line of logLines(frames(chunks))) if (line.time >= since) yield line;
  } catch (error) {
    if (options.signal?.aborted !== true) throw error;
  } finally {
    options.signal?.removeEventListener("abort", cut);
    cut();
  }
}
