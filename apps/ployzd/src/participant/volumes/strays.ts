import type { AdoptionReport } from "@ployz/primitives/client";
import { isFinal } from "@ployz/primitives/host";
import type { OperationSummary, Store } from "@ployz/primitives/protocol";
import { headOrUnreadable } from "../../state/records.ts";
import { copiesOf, findCopy, type Pool } from "./copies.ts";
import { userOf, type VolumeDeps } from "./deps.ts";
import { type Copy, MARK } from "./layout.ts";
import { unmark } from "./mount.ts";
import { toRetired } from "./moves.ts";
import { discard } from "./settle.ts";
import { standDown } from "./standby.ts";

type Removed = AdoptionReport["removed"];

/**
 * Cleans up volumes left by ended operations. Volumes named by any commit are retired, never destroyed: their retention prunes them.
 * Uncommitted ones are destroyed, as the operation's own undo would do.
 */
export async function settleStrays(
  deps: Pick<VolumeDeps, "self" | "runtime" | "inTurn" | "now">,
  pool: Pool,
  store: Store,
): Promise<Removed> {
  const settled: Removed[] = [];
  await settleStandbys(deps, pool, store);
  for (const { id, place } of await copiesOf(pool))
    if (place !== "retired") settled.push(await deps.inTurn(id, () => settle(id)));
  return settled.flat();

  async function settle(id: string): Promise<Removed> {
    const copy = await findCopy(pool, id);
    if (copy === undefined || copy.place === "retired") return [];
    const maker = await ended(store, copy.operation);
    const sealer = copy.sealedBy === undefined ? undefined : await ended(store, copy.sealedBy);
    // Read the head after the summaries: an ended operation has committed before.
    const head = await headOrUnreadable(store, copy.namespace);
    if (head === "unreadable") return [];
    if (head?.volumes.some((volume) => volume.id === id && volume.machine === deps.self) === true) {
      if (copy.dataset === undefined || sealer === undefined || copy.place !== "volumes") return [];
      await unmark(pool, copy.dataset, MARK.sealedBy); // the next start of its instance opens it
      return [
        { what: `seal of volume ${id}`, why: `operation ${sealer.operation} has ended (${sealer.state})` },
      ];
    }
    if (maker === undefined || (copy.sealedBy !== undefined && sealer === undefined)) return [];
    if ((await userOf(deps.runtime, id)) !== undefined) return [];
    return [
      {
        what: `volume ${id}`,
        why: `${await letGo(copy, maker)}: operation ${maker.operation} has ended (${maker.state}) and no commit names it here`,
      },
    ];
  }

  async function letGo(copy: Copy, maker: OperationSummary): Promise<string> {
    if (copy.place === "incoming" || maker.revision === undefined || copy.dataset === undefined) {
      await discard(pool, copy);
      return "discarded";
    }
    await toRetired(pool, copy, copy.dataset, new Date(deps.now()).toISOString());
    return "retired";
  }
}

/** A standby that was given up while this machine was away is an ordinary retired copy. */
async function settleStandbys(
  { self, inTurn, now }: Pick<VolumeDeps, "self" | "inTurn" | "now">,
  pool: Pool,
  store: Store,
): Promise<void> {
  for (const { id, namespace, place, standby } of await copiesOf(pool)) {
    if (place !== "retired" || standby === undefined) continue;
    const head = await headOrUnreadable(store, namespace);
    if (head === "unreadable") continue;
    const wanted = head?.volumes.find((volume) => volume.id === id)?.spec.standby?.machines.includes(self);
    if (wanted === true) continue;
    await inTurn(id, async () => {
      const copy = await findCopy(pool, id);
      if (copy?.place === "retired" && copy.dataset !== undefined) await standDown(pool, copy.dataset, now());
    });
  }
}

async function ended(store: Store, operation: string): Promise<OperationSummary | undefined> {
  const summary = (await store.journals.summary(operation))?.value;
  return summary !== undefined && isFinal(summary.state) ? summary : undefined;
}
