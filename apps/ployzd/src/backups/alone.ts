import { PloyzError } from "../error-codes.ts";
import { checkId } from "../participant/volumes/layout.ts";

/** One restic per volume: a call that comes again, because its caller was lost, takes the place of the one before. */
export function oneAtATime() {
  const running = new Map<string, { readonly stop: AbortController; readonly ended: Promise<unknown> }>();
  return async <T>(id: string, signal: AbortSignal, task: (stop: AbortSignal) => Promise<T>): Promise<T> => {
    const stop = new AbortController();
    const before = running.get(checkId(id));
    const work = (async () => {
      before?.stop.abort(new PloyzError({ code: "aborted", message: "another call took its place" }));
      await before?.ended;
      return task(AbortSignal.any([signal, stop.signal]));
    })();
    const entry = { stop, ended: work.catch(() => {}) };
    running.set(id, entry);
    try {
      return await work;
    } finally {
      if (running.get(id) === entry) running.delete(id);
    }
  };
}
