import { useEffect, useState } from "preact/hooks";
import { ApiError, follow, read } from "../api.ts";
import { afterEvent, INITIAL, type Stale, type State } from "./state.ts";

/** Changes that come together are read together. */
const TOGETHER_MS = 150;
/** After a stream that the server ended with an error. */
const AGAIN_MS = 2_000;

let state: State = INITIAL;
const listeners = new Set<() => void>();

function set(next: Partial<State>): void {
  state = { ...state, ...next };
  for (const listener of listeners) listener();
}

const wanted = new Set<Stale>();
let reading = false;
let timer: ReturnType<typeof setTimeout> | undefined;

function readSoon(stale: readonly Stale[]): void {
  for (const one of stale) wanted.add(one);
  if (wanted.size === 0 || reading || timer !== undefined) return;
  timer = setTimeout(() => {
    timer = undefined;
    void readAgain();
  }, TOGETHER_MS);
}

async function readAgain(): Promise<void> {
  const now = new Set(wanted);
  wanted.clear();
  reading = true;
  try {
    const [status, instances, operations] = await Promise.all([
      now.has("cluster") ? read("GET /v1/status") : undefined,
      now.has("cluster") ? read("GET /v1/ps") : undefined,
      now.has("operations") ? read("GET /v1/operations") : undefined,
    ]);
    set({
      fault: undefined,
      ...(status && { status }),
      ...(instances && { instances }),
      ...(operations && { operations: operations.operations }),
    });
  } catch (error) {
    set({ fault: faultOf(error) });
  } finally {
    reading = false;
    readSoon([]);
  }
}

export const faultOf = (error: unknown): string =>
  error instanceof ApiError
    ? `${error.message}${error.hint === undefined ? "" : ` (${error.hint})`}`
    : "ployzctl dashboard does not answer: was it ended?";

/** Follows the cluster while the page is looked at: a browser has few connections for one server. */
export function startLive(): void {
  let stop: (() => void) | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  const start = () => {
    stop?.();
    stop = follow(
      "GET /v1/events",
      {},
      {
        event(event) {
          const next = afterEvent(state, event);
          set(next.state);
          readSoon(next.stale);
        },
        lost: () => set({ connection: "lost" }),
        fault(error) {
          set({ connection: "lost", fault: faultOf(error) });
          stop?.();
          again = setTimeout(start, AGAIN_MS);
        },
      },
    );
  };
  const look = () => {
    clearTimeout(again);
    if (document.hidden) stop?.();
    else start();
  };
  document.addEventListener("visibilitychange", look);
  look();
}

/** The state; the component is drawn again when it changes. */
export function useLive(): State {
  const [, redraw] = useState(0);
  useEffect(() => {
    const listener = () => redraw((n) => n + 1);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }, []);
  return state;
}

/** A document that is read again when `key` changes. The last one stays until the next is there. */
export function useDocument<T>(
  key: string,
  get: (signal: AbortSignal) => Promise<T>,
): { readonly document: T | undefined; readonly fault: string | undefined } {
  const [found, setFound] = useState<{ document: T | undefined; fault: string | undefined }>({
    document: undefined,
    fault: undefined,
  });
  useEffect(() => {
    const stop = new AbortController();
    get(stop.signal).then(
      (document) => setFound({ document, fault: undefined }),
      (error: unknown) => {
        if (!stop.signal.aborted) setFound({ document: undefined, fault: faultOf(error) });
      },
    );
    return () => stop.abort();
  }, [key]);
  return found;
}
