import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { readFileIfThere, writeFileAtomic } from "@ployz/exec";
import type { LogLine, Runtime } from "@ployz/runtime";

export type JobLine = LogLine & { readonly instance: string };

/** Most lines and bytes that are kept of a run. */
const LINES = 2_000;
const BYTES = 1024 * 1024;
/** Most jobs of which a machine keeps a run, and for how long. */
const JOBS = 100;
const DAYS = 30;

/** The output of each job's last run on this machine, which stays when its instance is removed. */
export interface JobLogs {
  /** Keeps the output of a job's instance; nothing for other instances. */
  keep(id: string): Promise<void>;
  read(namespace: string, job: string, tail: number): AsyncIterable<JobLine>;
}

export function openJobLogs(dir: string, runtime: Runtime, now: () => number): JobLogs {
  const file = (namespace: string, job: string) => join(dir, `${namespace}.${job}.ndjson`);
  return {
    async keep(id) {
      const { state, labels } = await runtime.inspect(id);
      const { kind, namespace, service } = labels;
      if (state === "absent" || kind !== "job" || namespace === undefined || service === undefined) return;
      const lines: string[] = [];
      for await (const line of runtime.logs(id, { tail: LINES }))
        lines.push(JSON.stringify({ instance: id, ...line }));
      let bytes = 0;
      const first = lines.findLastIndex((line) => {
        bytes += line.length + 1;
        return bytes > BYTES;
      });
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await writeFileAtomic(
        file(namespace, service),
        lines
          .slice(first + 1)
          .map((line) => `${line}\n`)
          .join(""),
      );
      await tidy(dir, now());
    },
    async *read(namespace, job, tail) {
      if (![namespace, job].every((name) => /^[a-z0-9-]+$/.test(name))) return;
      const text = await readFileIfThere(file(namespace, job));
      const lines = (text ?? "").split("\n").slice(0, -1);
      for (const line of lines.slice(Math.max(0, lines.length - tail))) yield JSON.parse(line) as JobLine;
    },
  };
}

async function tidy(dir: string, now: number): Promise<void> {
  const names = await readdir(dir);
  const files = await Promise.all(
    names.map(async (name) => ({ path: join(dir, name), at: (await stat(join(dir, name))).mtimeMs })),
  );
  const old = files
    .sort((a, b) => b.at - a.at)
    .filter(({ at }, index) => index >= JOBS || at < now - DAYS * 24 * 3_600_000);
  for (const { path } of old) await rm(path, { force: true });
}
