import { errorBody } from "@ployz/errors";
import { type Mirror, type MirrorOptions, type NatsStore, openMirror } from "@ployz/nats-store";
import {
  type Commit,
  checkedStore,
  commitFault,
  type FactTypes,
  factFault,
  type Store,
  unreadable,
} from "@ployz/primitives";

/** This machine's copy of the commits and facts that can be read. */
export type Records = Mirror<Commit, FactTypes>;

/** The store as a daemon reads it. Each record that is skipped is logged once. */
export function openRecords(nats: NatsStore, log: (error: unknown) => void): Store {
  const logged = new Map<string, number>();
  return checkedStore(nats, (skipped) => {
    if (logged.get(skipped.key) === skipped.revision) return;
    logged.set(skipped.key, skipped.revision);
    log(unreadable(skipped));
  });
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
    check: (what, key, value) => (what === "commit" ? commitFault : factFault)(key, value)?.detail,
  });
