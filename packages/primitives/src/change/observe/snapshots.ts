import { errorBody } from "@ployz/errors";
import type { PrimitivePorts } from "../../engine/types.ts";
import type { Volume } from "../../model/commit.ts";
import type { ObservedSnapshot } from "../../model/observation.ts";
import { LOOK } from "../../ports/machines.ts";

/** Snapshots of a copy of a volume on a machine; none where it is not, or where the machine does not answer. */
export type Snapshots = ReadonlyMap<string, readonly ObservedSnapshot[]>;

const keyOf = (machine: string, id: string) => `${id}@${machine}`;

export async function observeSnapshots(
  copies: readonly Pick<Volume, "machine" | "id">[],
  { machines }: PrimitivePorts,
  signal: AbortSignal,
): Promise<Snapshots> {
  const found = copies.map(async ({ machine, id }) => {
    try {
      const there = await machines.call(machine, "volume.snapshots", { id }, { ...LOOK, signal });
      return [keyOf(machine, id), there?.snapshots ?? []] as const;
    } catch (error) {
      signal.throwIfAborted();
      if (errorBody(error).code !== "machine_unreachable" && errorBody(error).code !== "deadline_exceeded")
        throw error;
      return [keyOf(machine, id), []] as const;
    }
  });
  return new Map(await Promise.all(found));
}

export function snapshotsOf(snapshots: Snapshots, machine: string, id: string): readonly ObservedSnapshot[] {
  return snapshots.get(keyOf(machine, id)) ?? [];
}
