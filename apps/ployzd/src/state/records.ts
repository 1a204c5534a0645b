import { errorBody } from "@ployz/errors";
import { type Mirror, type MirrorOptions, type NatsStore, openMirror } from "@ployz/nats-store";
import {
  checkedStore,
  commitFault,
  factFault,
  type Unreadable,
  unlessUnreadable,
  unreadable,
} from "@ployz/primitives/host";
import type { Commit, FactTypes, Store } from "@ployz/primitives/protocol";

/** This machine's copy of the commits and facts that can be read. */
export type Records = Mirror<Commit, FactTypes>;

/** The store as a daemon reads it. Each record that is skipped is logged once. */
export function openRecords(
  nats: NatsStore,
  log: (error: unknown) => void,
): { readonly store: Store; unreadableOperations(): Promise<readonly Unreadable[]> } {
  const logged = new Map<string, Unreadable>();
  const store = checkedStore(nats, (skipped) => {
    if (logged.get(skipped.key)?.revision === skipped.revision) return;
    logged.set(skipped.key, skipped);
    log(unreadable(skipped));
  });
  return {
    store,
    /** The skipped operations whose records still cannot be read. */
    async unreadableOperations() {
      const known = [...logged.values()].filter(({ key }) => key.startsWith("operation."));
      const still = await Promise.all(
        known.map(async (one) => {
          const operation = one.key.slice("operation.".length);
          const summary = await unlessUnreadable(store.journals.summary(operation));
          if (summary !== undefined) logged.delete(one.key);
          return summary === undefined ? [one] : [];
        }),
      );
      return still.flat();
    },
  };
}

/** The last commit of a namespace, or `unreadable`: then nothing of the namespace may be removed. */
export async function headOrUnreadable(
  { commits }: Pick<Store, "commits">,
  namespace: string,
): Promise<Commit | undefined | "unreadable"> {
  try {
    return (await commits.last(namespace))?.value;
  } catch (error) {
    if (errorBody(error).code === "record_unreadable") return "unreadable";
    throw error;
  }
}

/** A mirror that keeps the last good record when one comes that cannot be read. */
export const mirrorRecords = (options: Omit<MirrorOptions, "check">): Promise<Records> =>
  openMirror<Commit, FactTypes>({
    ...options,
    check: (what, key, value) => (what === "commit" ? commitFault : factFault)(key, value),
  });

/** The store's generation, and the last revision of its leases. */
export const newestLease = async ({ session, leases }: NatsStore) => ({
  generation: session.generation(),
  revision: await leases.lastRevision(),
});
