/**
 * One computation for all who ask at once. Whoever asks while one runs gets the next, which has begun after they asked: no answer is older than
 * its question, and at most one runs at a time.
 */
export function sharing<T>(compute: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const start = (): Promise<T> => {
    const mine = compute();
    const over = () => {
      if (next === undefined) running = undefined;
    };
    running = mine;
    mine.then(over, over);
    return mine;
  };
  return () => {
    if (running === undefined) return start();
    const begin = () => {
      next = undefined;
      return start();
    };
    next ??= running.then(begin, begin);
    return next;
  };
}
