import { readFileIfThere, writeFileAtomic } from "@ployz/exec";

/** A JSON document on disk, or `undefined` when there is none. */
export async function readJson<T>(path: string): Promise<T | undefined> {
  const text = await readFileIfThere(path);
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

/** Atomic, also across a power cut. */
export const writeJson = (path: string, value: unknown): Promise<void> =>
  writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);

/** Runs the tasks of one key one after the other; different keys do not wait for each other. */
export function serialiseByKey(): <T>(key: string, task: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return async (key, task) => {
    const before = last.get(key) ?? Promise.resolve();
    const next = before.then(task, task);
    const settled = next.catch(() => {});
    last.set(key, settled);
    try {
      return await next;
    } finally {
      if (last.get(key) === settled) last.delete(key);
    }
  };
}

/** Runs one task after the other: two writers of one document never interleave. */
export function serialise(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const next = last.then(task, task);
    last = next.catch(() => {});
    return next;
  };
}
