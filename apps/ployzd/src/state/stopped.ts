import { readJson, serialise, writeJson } from "./files.ts";

/**
 * Committed instances that an operation has stopped to let another take their place (`update = "stop-first"`). A daemon that starts
 * in the middle of it must not bring them back beside their successor: the operation does, if it is undone.
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
