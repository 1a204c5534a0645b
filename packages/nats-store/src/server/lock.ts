const last = new Map<string, Promise<unknown>>();

/**
 * Serialises work on each store directory: a record stays valid from its read to the end of the work. Only one process (the daemon) works
 * on a directory.
 */
export function exclusively<T>(dir: string, work: () => Promise<T>): Promise<T> {
  const before = last.get(dir) ?? Promise.resolve();
  const result = before.then(work, work);
  const settled = result.catch(() => undefined);
  last.set(dir, settled);
  void settled.then(() => {
    if (last.get(dir) === settled) last.delete(dir);
  });
  return result;
}
