import { mkdir, readdir, rename, unlink } from "node:fs/promises";
import { readFileIfThere, writeFileAtomic } from "@ployz/exec";
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
  /** Resolves when all changes so far are on disk. */
  flushed(): Promise<void>;
}

/** Writes changes behind the mirror, one write at a time; batches changes that arrive meanwhile. */
export function mirrorWriter(dir: string, state: MirrorState, onError: (error: unknown) => void): Writer {
  const heads = new Set<string>();
  let facts = false;
  let running: Promise<void> | undefined;

  const drain = async () => {
    for (;;) {
      const namespace = heads.values().next().value;
      if (namespace !== undefined) {
        heads.delete(namespace);
        const head = state.heads.get(namespace);
        if (head) await writeFileAtomic(headFile(dir, namespace), JSON.stringify(head));
        else await unlink(headFile(dir, namespace)).catch(ignoreMissing);
      } else if (facts) {
        facts = false;
        const entries = [...state.facts.values()];
        await writeFileAtomic(
          factsFile(dir),
          JSON.stringify({ v: 1, revision: state.factsRevision, entries }),
        );
      } else return;
    }
  };
  const kick = () => {
    running ??= drain()
      .catch(onError)
      .finally(() => {
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
  };
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
}
