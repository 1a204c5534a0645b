import { PloyzError } from "@ployz/exec";
import type { Fence } from "@ployz/primitives";
import { readJson, serialise, writeJson } from "./files.ts";

type Seen = Readonly<Record<string, { readonly generation: number; readonly revision: number }>>;

/** The highest fence that this machine has seen for each scope. A paused holder that wakes up finds a higher one here and is refused. */
export interface FenceGuard {
  /** @throws PloyzError `fenced` when a newer holder of the scope was seen; durable before it resolves. */
  check(fence: Fence): Promise<void>;
}

export async function openFences(path: string): Promise<FenceGuard> {
  let seen: Seen = (await readJson<Seen>(path)) ?? {};
  const inTurn = serialise();
  return {
    check: (fence) =>
      inTurn(async () => {
        const last = seen[fence.scope];
        const order =
          last === undefined ? 1 : fence.generation - last.generation || fence.revision - last.revision;
        if (order < 0) {
          throw new PloyzError({
            code: "fenced",
            message: `a newer operation holds ${fence.scope}`,
            hint: "ployzctl ops ls shows it",
          });
        }
        if (order === 0) return;
        const next = { ...seen, [fence.scope]: { generation: fence.generation, revision: fence.revision } };
        await writeJson(path, next);
        seen = next;
      }),
  };
}
