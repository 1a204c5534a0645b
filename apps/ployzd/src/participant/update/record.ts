import type { ServiceHost } from "@ployz/exec";
import { readJson, writeJson } from "../../state/files.ts";

/** The last switch of this machine from one build to another. */
export interface Swap {
  readonly operation: string;
  readonly from: string;
  readonly to: string;
  readonly state: "switching" | "done" | "reverted";
  /** The reason for the rollback. */
  readonly error?: string;
  /** Process ids of instances and data plane services before the switch. */
  readonly before: Readonly<Record<string, number>>;
}

/** The service that does the switch: it outlives the daemon that started it. */
export const SWAP_SERVICE = "ployz-update";
/** Services that a switch replaces. */
export const REPLACED: ReadonlySet<string> = new Set(["ployzd", "ployz-gateway", "ployz-dns", SWAP_SERVICE]);

export const readSwap = (path: string): Promise<Swap | undefined> => readJson<Swap>(path);
export const writeSwap = (path: string, swap: Swap): Promise<void> => writeJson(path, swap);

/** Process ids of the services that an update must leave alone. */
export async function dataPlanePids(services: ServiceHost): Promise<Readonly<Record<string, number>>> {
  const names = (await services.list()).filter((name) => !REPLACED.has(name));
  const pids = await Promise.all(
    names.map(async (name) => {
      const { pid } = await services.status(name);
      return pid === undefined ? [] : [[name, pid] as const];
    }),
  );
  return Object.fromEntries(pids.flat());
}
