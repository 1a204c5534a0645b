import type { Fence } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import { readJson, serialise, writeJson } from "./files.ts";

type Seen = Readonly<Record<string, { readonly generation: number; readonly revision: number }>>;

/** The highest fence seen on this machine for each scope. A resumed holder with a lower one is refused. */
export interface FenceGuard {
  /**
   * @throws PloyzError `fenced` when a newer holder of the scope was seen; `fence_ahead` when no lease has that fence yet, and
   * `store_unavailable` when the store cannot say so. Durable before it resolves.
   */
  check(fence: Fence): Promise<void>;
}

type Point = Pick<Fence, "generation" | "revision">;

/** `newest`: the store's generation and the last revision of its leases. A higher fence would block its scope for ever. */
export async function openFences(path: string, newest: () => Promise<Point>): Promise<FenceGuard> {
  let seen: Seen = (await readJson<Seen>(path)) ?? {};
  let known: Point = { generation: 0, revision: 0 };
  const inTurn = serialise();
  const isKnown = ({ generation, revision }: Point) =>
    generation < known.generation || (generation === known.generation && revision <= known.revision);
  async function checkKnown(fence: Fence): Promise<void> {
    if (isKnown(fence)) return;
    known = await newest();
    if (isKnown(fence)) return;
    if (fence.generation > known.generation)
      throw new PloyzError({
        code: "store_unavailable",
        message: `this machine does not know generation ${fence.generation} of the store yet`,
        hint: "run the same command again",
      });
    throw new PloyzError({
      code: "fence_ahead",
      message: `no operation holds ${fence.scope} with fence ${fence.revision}: the last lease is ${known.revision}`,
      hint: "a member sends calls that no operation makes; see ployzctl ops ls",
    });
  }
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
        await checkKnown(fence);
        const next = { ...seen, [scope]: { generation, revision } };
        await writeJson(path, next);
        seen = next;
      }),
  };
}
