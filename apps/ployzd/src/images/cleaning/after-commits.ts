/** Long enough for an operation to retire what it replaced, and for a series of deploys to be one cleaning. */
const QUIET_MS = 30_000;

/** Cleans up by the retention once commits have been quiet for a while: operations end without waiting for it. */
export function cleanAfterCommits({
  onChange,
  clean,
  signal,
  log,
  quietMs = QUIET_MS,
}: {
  onChange(listener: (change: { readonly type: string }) => void): () => void;
  clean(): Promise<unknown>;
  readonly signal: AbortSignal;
  log(error: unknown): void;
  readonly quietMs?: number;
}): void {
  let timer: NodeJS.Timeout | undefined;
  const stop = onChange(({ type }) => {
    if (type !== "head" || signal.aborted) return;
    clearTimeout(timer);
    timer = setTimeout(() => void clean().catch(log), quietMs);
  });
  signal.addEventListener("abort", () => {
    stop();
    clearTimeout(timer);
  });
}
