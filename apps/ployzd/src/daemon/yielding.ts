import type { AdoptionReport } from "@ployz/primitives/client";
import type { Commit } from "@ployz/primitives/protocol";
import { type InstanceDeps, removeInstance } from "../participant/instances.ts";
import type { VolumeDeps } from "../participant/volumes/deps.ts";
import { yieldVolumes } from "../participant/volumes/yield.ts";
import type { Records } from "../state/records.ts";

interface Yielding {
  readonly mirror: Pick<Records, "synced" | "onChange">;
  readonly instances: InstanceDeps;
  readonly volumes: VolumeDeps;
  heads(): readonly { readonly commit: Commit }[];
}

export interface Yields {
  /** Whether the commits have been read from the store since the start. */
  confirmed(): boolean;
  /** Retires volumes whose standby was taken over. */
  yielded(): Promise<AdoptionReport["removed"]>;
}

/** A machine that was cut off learns of a takeover from the next commits that it reads, also without a restart. */
export function watchTakeovers({ mirror, instances, volumes, heads }: Yielding): Yields {
  let confirmed = false;
  const yielded = async () => {
    const pool = volumes.storage.present();
    if (pool === undefined) return [];
    const commits = heads().map(({ commit }) => commit);
    return yieldVolumes(volumes, pool, commits, (id) => removeInstance(id, instances));
  };
  void mirror.synced().then(() => {
    confirmed = true;
  });
  mirror.onChange(({ type }) => {
    if (type === "head" && confirmed) void yielded().catch(volumes.log);
  });
  return { confirmed: () => confirmed, yielded };
}
