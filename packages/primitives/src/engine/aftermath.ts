import type { RegisteredPrimitive } from "./deps.ts";
import { type Ending, endingOf, RECORD_LAGS } from "./execute.ts";
import { fold, isFinal } from "./fold.ts";
import { isUnavailable } from "./interrupted.ts";
import { readJournal } from "./journal.ts";
import { askRunning } from "./leases.ts";
import { committedAt } from "./predecessors.ts";
import { rideStore } from "./retry.ts";
import type { Run } from "./run-context.ts";

/** How often the journal of an operation that another runner has is read again. */
const POLL_MS = 1_000;

/** Whether this run knows how its operation ended: it had the lease, and the journal, up to the last entry. */
export const isCertain = ({ state, warnings }: Ending): boolean =>
  state !== "interrupted" && !warnings.includes(RECORD_LAGS);

/**
 * How an operation ended that this run lost hold of. Follows the runner that took it over up to its end; without one, a commit that the
 * store has is no failure. `ending` is what this run knows, and stands when the store knows no more. `undefined`: it never began.
 */
export async function trueEnding(
  run: Run,
  owner: RegisteredPrimitive,
  {
    operation,
    scope,
    ending,
  }: { readonly operation: string; readonly scope: string; readonly ending: Ending },
): Promise<Ending | undefined> {
  const { deps, limits } = run;
  const { clock, signal, self } = deps;
  const { leases, journals } = owner.ports.store;
  const ride = <T>(read: () => Promise<T>) => rideStore({ clock, rideMs: limits.storeRideMs }, read);
  const runs = async (): Promise<boolean> => {
    const holder = (await ride(() => leases.get(scope)))?.holder;
    if (holder === undefined || (holder.operation === operation && holder.machine === self.machine))
      return false;
    const ask = { machines: owner.ports.machines, askHolderMs: limits.askHolderMs, signal };
    return (await askRunning(ask, holder)) !== false;
  };
  try {
    for (;;) {
      // Asked before the journal is read: a runner that ends in between has written its last entry.
      const runner = await runs();
      const record = fold(await ride(() => readJournal(journals, operation)));
      if (record === undefined) return undefined;
      if (isFinal(record.state) || record.state === "cleanup-owed") return endingOf(record, owner.primitive);
      if (!runner || signal.aborted) {
        const revision =
          ending.revision === undefined
            ? await ride(() => committedAt(record, owner.ports.store))
            : undefined;
        return revision === undefined ? ending : endingOf({ ...record, revision }, owner.primitive);
      }
      await clock.sleep(POLL_MS, signal);
    }
  } catch (error) {
    if (isUnavailable(error)) return ending;
    throw error;
  }
}
