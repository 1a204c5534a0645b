import type { Fence } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import { readJson, serialise, writeJson } from "./files.ts";

type Seen = Readonly<Record<string, { readonly generation: number; readonly revision: number }>>;

/** The highest fence seen on this machine for each scope. A resumed holder with a lower one is refused. */
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
        const { scope, generation, revision } = fence;
        // A comparison with NaN is never "lower".
        if (typeof scope !== "string" || ![generation, revision].every(Number.isSafeInteger))
          throw new PloyzError({
            code: "fence_missing",
            message: "the fence is not a scope and two numbers",
          });
        const last = Object.hasOwn(seen, scope) ? seen[scope] : undefined;
        const order = last === undefined ? 1 : generation - last.generation || revision - last.revision;
        if (order < 0) {
          throw new PloyzError({
            code: "fenced",
            message: `a newer operation holds ${scope}`,
            hint: "find it: ployzctl ops ls",
          });
        }
        if (order === 0) return;
        const next = { ...seen, [scope]: { generation, revision } };
        await writeJson(path, next);
        seen = next;
      }),
  };
}
