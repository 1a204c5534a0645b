import { errorBody } from "@ployz/errors";
import type { PrimitivePorts } from "../../engine/types.ts";
import type { Commit, Volume } from "../../model/commit.ts";
import type { ObservedSnapshot } from "../../model/observation.ts";
import { LOOK } from "../../ports/machines.ts";
import type { MachineFact, Snapshots } from "./facts.ts";

export type { Snapshots } from "./facts.ts";

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

/** Snapshots of the standbys of volumes that are on a machine. */
export const observeStandbys = (
  commits: readonly Pick<Commit, "volumes">[],
  machine: string,
  ports: PrimitivePorts,
  signal: AbortSignal,
): Promise<Snapshots> =>
  observeSnapshots(
    commits.flatMap(({ volumes }) =>
      volumes
        .filter((volume) => volume.machine === machine)
        .flatMap(({ id, spec }) => (spec.standby?.machines ?? []).map((to) => ({ id, machine: to }))),
    ),
    ports,
    signal,
  );

/** Every copy of a volume that can be read: those of its present id first, then retired ones, the last retired first. */
export function readableCopies(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  present: Pick<Volume, "machine" | "id"> | undefined,
  machines: readonly MachineFact[],
): readonly Pick<Volume, "machine" | "id">[] {
  const rank = ({ id, machine }: Pick<Volume, "machine" | "id">) =>
    (id === present?.id ? 0 : 2) + (machine === present?.machine ? 0 : 1);
  return machines
    .flatMap(({ record: { id: machine }, observation }) =>
      (observation?.volumes ?? []).flatMap((copy) =>
        copy.namespace === namespace && copy.name === name && copy.state !== "incoming"
          ? [{ machine, id: copy.id, retiredAt: copy.retiredAt ?? "" }]
          : [],
      ),
    )
    .sort((a, b) => rank(a) - rank(b) || (a.retiredAt < b.retiredAt ? 1 : -1))
    .map(({ machine, id }) => ({ machine, id }));
}

export function snapshotsOf(snapshots: Snapshots, machine: string, id: string): readonly ObservedSnapshot[] {
  return snapshots.get(keyOf(machine, id)) ?? [];
}
