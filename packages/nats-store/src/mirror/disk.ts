import { mkdir, readdir, rename, unlink } from "node:fs/promises";
import { createBackoff, readFileIfThere, writeFileAtomic } from "@ployz/exec";
import type { Entry } from "../client/types.ts";
import { isObject, type Json } from "../json.ts";

/** The content of a mirror: the head of every namespace, the facts, and the revision up to which each was followed. */
export interface MirrorState {
  readonly heads: Map<string, Entry<Json>>;
  readonly facts: Map<string, Entry<Json>>;
  commits: number;
  factsRevision: number;
}

const headFile = (dir: string, namespace: string) => `${dir}/heads/${namespace}.json`;
const factsFile = (dir: string) => `${dir}/facts.json`;

/** Why a record cannot be read: a newer version wrote it, or it does not fit its schema. */
export interface Fault {
  readonly why: "newer" | "invalid";
  /** For people. */
  readonly detail: string;
}

export type Check = (what: "commit" | "fact", key: string, value: Json) => Fault | undefined;

/** Reads the mirror's files. Renames a damaged file (disk error) to `.damaged`, reports it, and uses the rest. */
export async function loadMirror(
  dir: string,
  onError: (error: unknown) => void,
  check: Check = () => undefined,
): Promise<MirrorState> {
  await mkdir(`${dir}/heads`, { recursive: true, mode: 0o700 });
  const state: MirrorState = { heads: new Map(), facts: new Map(), commits: 0, factsRevision: 0 };
  const read = async (path: string): Promise<Json | undefined> => {
    try {
      const text = await readFileIfThere(path);
      return text === undefined ? undefined : (JSON.parse(text) as Json);
    } catch (error) {
      onError(error);
      await rename(path, `${path}.damaged`).catch(onError);
      return undefined;
    }
  };
  for (const name of await readdir(`${dir}/heads`)) {
    if (!name.endsWith(".json")) continue;
    const head = await read(`${dir}/heads/${name}`);
    if (!isEntry(head) || check("commit", head.key, head.value) !== undefined) continue;
    state.heads.set(head.key, head);
    state.commits = Math.max(state.commits, head.revision);
  }
  const kept = await read(factsFile(dir));
  if (isObject(kept) && Array.isArray(kept.entries)) {
    state.factsRevision = Number(kept.revision);
    for (const entry of kept.entries)
      if (isEntry(entry) && check("fact", entry.key, entry.value) === undefined)
        state.facts.set(entry.key, entry);
  }
  return state;
}

const isEntry = (kept: Json | undefined): kept is Readonly<Record<string, Json>> & Entry<Json> =>
  isObject(kept) && typeof kept.key === "string" && typeof kept.revision === "number" && "value" in kept;

export interface Writer {
  headChanged(namespace: string): void;
  factsChanged(): void;
  /** Resolves when all changes so far are on disk; after the end, also when the last try has failed. */
  flushed(): Promise<void>;
  /** Resolves when this revision of a head, or a later one, is on disk; rejects when `signal` aborts. */
  durable(namespace: string, revision: number, signal: AbortSignal): Promise<void>;
}

/**
 * Writes changes behind the mirror, one write at a time; batches changes that arrive meanwhile. A disk that is full or fails is tried again
 * until it takes them.
 */
export function mirrorWriter(
  dir: string,
  state: MirrorState,
  { onError, end }: { onError: (error: unknown) => void; readonly end: AbortSignal },
): Writer {
  const heads = new Set<string>();
  const written = new Map([...state.heads].map(([namespace, { revision }]) => [namespace, revision]));
  const waiting = new Set<() => void>();
  let facts = false;
  let running: Promise<void> | undefined;

  const writeNext = async (): Promise<boolean> => {
    const namespace = heads.values().next().value;
    if (namespace !== undefined) {
      const head = state.heads.get(namespace);
      if (head) await writeFileAtomic(headFile(dir, namespace), JSON.stringify(head));
      else await unlink(headFile(dir, namespace)).catch(ignoreMissing);
      if (state.heads.get(namespace) === head) heads.delete(namespace);
      written.set(namespace, head?.revision ?? 0);
      for (const look of [...waiting]) look();
      return true;
    }
    if (!facts) return false;
    const [revision, entries] = [state.factsRevision, [...state.facts.values()]];
    facts = false;
    await writeFileAtomic(factsFile(dir), JSON.stringify({ v: 1, revision, entries })).catch((error) => {
      facts = true;
      throw error;
    });
    return true;
  };
  const drain = async () => {
    const backoff = createBackoff(500, 5_000);
    for (let failing = false; ; ) {
      try {
        if (!(await writeNext())) return;
        failing = false;
        backoff.reset();
      } catch (error) {
        if (!failing) onError(error);
        if (end.aborted) return;
        failing = true;
        await backoff.pause(end);
      }
    }
  };
  const kick = () => {
    running ??= drain().finally(() => {
      running = undefined;
    });
  };
  return {
    headChanged(namespace) {
      heads.add(namespace);
      kick();
    },
    factsChanged() {
      facts = true;
      kick();
    },
    async flushed() {
      while (running) await running;
    },
    durable: (namespace, revision, signal) =>
      new Promise((resolve, reject) => {
        const stop = () => {
          waiting.delete(look);
          signal.removeEventListener("abort", abort);
        };
        const look = () => {
          if ((written.get(namespace) ?? 0) < revision) return;
          stop();
          resolve();
        };
        const abort = () => {
          stop();
          reject(signal.reason);
        };
        waiting.add(look);
        signal.addEventListener("abort", abort, { once: true });
        if (signal.aborted) abort();
        else look();
      }),
  };
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
}
