import type { Hangs } from "@ployz/primitives/protocol";
import { readJson, serialise, writeJson } from "./files.ts";

type Counted = Readonly<Record<string, Hangs & { readonly restarts: number }>>;

/** How often this machine restarted its hung instances. A reboot, or a stop by an operation, starts at zero, as restarts do. */
export interface HangCounts {
  /** `restarts`: of the instance, at the moment. */
  of(id: string, restarts: number): Hangs | undefined;
  add(id: string, why: string, restarts: number): Promise<Hangs>;
  keepOnly(ids: readonly string[]): Promise<void>;
}

export async function openHangs(path: string, now: () => Date): Promise<HangCounts> {
  let counted: Counted = (await readJson<Counted>(path)) ?? {};
  const inTurn = serialise();
  const save = async (next: Counted) => {
    await writeJson(path, next);
    counted = next;
  };
  const of = (id: string, restarts: number): Hangs | undefined => {
    const last = counted[id];
    if (last === undefined || restarts < last.restarts) return undefined;
    return { count: last.count, at: last.at, why: last.why };
  };
  return {
    of,
    add: (id, why, restarts) =>
      inTurn(async () => {
        const count = (of(id, restarts)?.count ?? 0) + 1;
        const hangs = { count, at: now().toISOString(), why: why.slice(0, 300) };
        await save({ ...counted, [id]: { ...hangs, restarts } });
        return hangs;
      }),
    keepOnly: (ids) =>
      inTurn(async () => {
        const kept = Object.entries(counted).filter(([id]) => ids.includes(id));
        if (kept.length < Object.keys(counted).length) await save(Object.fromEntries(kept));
      }),
  };
}
