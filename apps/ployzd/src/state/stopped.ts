import { readJson, serialise, writeJson } from "./files.ts";

/**
 * Committed instances that an operation has stopped for their successors (`update = "stop-first"`). A daemon that starts meanwhile must not
 * restart them beside their successors: the operation does so in its undo.
 */
export interface Stopped {
  has(id: string): boolean;
  /** Durable before it resolves. */
  add(id: string): Promise<void>;
  remove(id: string): Promise<void>;
}

export async function openStopped(path: string): Promise<Stopped> {
  let ids: readonly string[] = (await readJson<readonly string[]>(path)) ?? [];
  const inTurn = serialise();
  const save = async (next: readonly string[]) => {
    await writeJson(path, next);
    ids = next;
  };
  return {
    has: (id) => ids.includes(id),
    add: (id) =>
      inTurn(async () => {
        if (!ids.includes(id)) await save([...ids, id]);
      }),
    remove: (id) =>
      inTurn(async () => {
        if (ids.includes(id)) await save(ids.filter((other) => other !== id));
      }),
  };
}
