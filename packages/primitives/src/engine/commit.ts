import type { ErrorBody } from "@ployz/errors";
import { PloyzError } from "../error-codes.ts";
import { isFactKey } from "../model/facts.ts";
import type { PointSummary } from "../model/journal.ts";
import type { Store } from "../ports/store.ts";
import { hashJson } from "./canonical.ts";
import { takeTurn } from "./guard.ts";
import { Interrupted, isUnavailable } from "./interrupted.ts";
import { rideStore } from "./retry.ts";
import type { Session } from "./session.ts";
import type { CommitPoint } from "./types.ts";

export function pointSummary(point: CommitPoint): PointSummary {
  return point.kind === "namespace"
    ? {
        kind: "namespace",
        key: point.commit.namespace,
        expected: point.expected,
        hash: hashJson(point.commit),
      }
    : { kind: "fact", key: point.key, expected: point.expected, hash: hashJson(point.value) };
}

export type CommitOutcome =
  | { readonly kind: "committed"; readonly revision: number }
  | { readonly kind: "conflict" }
  | { readonly kind: "refused"; readonly refusal: ErrorBody };

/**
 * Writes the commit point once. Retries while the store does not answer; then fails with `Interrupted` `commit_unknown`, and
 * nothing may be undone: the store may have taken the write.
 */
export async function commitOnce(session: Session, point: CommitPoint): Promise<CommitOutcome> {
  const { clock, keeper, limits, journal } = session;
  const { store } = session.ports;
  keeper.ride(true);
  try {
    return await rideStore({ clock, rideMs: limits.storeRideMs }, async () => {
      const endTurn = await takeTurn(session, point);
      try {
        // A replaced holder must not commit work that its successor may be undoing. Only a renewal proves that it was not replaced.
        if (!(await keeper.ensure())) return await settled(session, point);
        return (await refused(session, point)) ?? (await write(store, point));
      } finally {
        await endTurn();
      }
    });
  } catch (error) {
    throw isUnavailable(error) ? unknown(journal.operation, error) : error;
  } finally {
    keeper.ride(false);
  }
}

/** After an append whose answer was lost the commit may stand already: then it is not refused any more. */
async function refused(session: Session, point: CommitPoint): Promise<CommitOutcome | undefined> {
  if (point.kind !== "namespace" || point.guard === undefined) return undefined;
  const { store } = session.ports;
  const refusal = point.guard((await store.commits.heads()).map(({ value }) => value));
  if (refusal === undefined) return undefined;
  const revision = await findCommit(store, session.journal.operation, pointSummary(point));
  return revision === undefined ? { kind: "refused", refusal } : { kind: "committed", revision };
}

async function write(store: Store, point: CommitPoint): Promise<CommitOutcome> {
  if (point.kind === "namespace") {
    const result = await store.commits.append(point.commit, point.expected);
    return result.committed ? { kind: "committed", revision: result.revision } : { kind: "conflict" };
  }
  const result = await store.facts.put(point.key, point.value, point.expected);
  return result.ok ? { kind: "committed", revision: result.revision } : { kind: "conflict" };
}

/** The outcome after the lease was lost: read from the store, never written. */
async function settled(session: Session, point: CommitPoint): Promise<CommitOutcome> {
  const { operation } = session.journal;
  const revision = await findCommit(session.ports.store, operation, pointSummary(point));
  if (revision === undefined) throw unknown(operation, session.keeper.lost.reason);
  return { kind: "committed", revision };
}

function unknown(operation: string, cause: unknown): Interrupted {
  return new Interrupted(
    {
      code: "commit_unknown",
      message: `the store did not say whether operation ${operation} was committed; nothing was undone`,
      hint: "run the same command again: it finishes the operation or undoes it",
      operationId: operation,
    },
    { cause },
  );
}

/** The revision at which `operation` committed `point`, or undefined when it did not. */
export async function findCommit(
  store: Store,
  operation: string,
  point: PointSummary,
): Promise<number | undefined> {
  if (point.kind === "fact") {
    const entry = isFactKey(point.key) ? await store.facts.get(point.key) : undefined;
    if (entry === undefined || entry.revision <= point.expected) return undefined;
    const author = "operation" in entry.value ? entry.value.operation : undefined;
    const mine = author === operation || hashJson(entry.value) === point.hash;
    return mine ? entry.revision : undefined;
  }
  // Another operation may have committed since; ours may be in the history.
  const history = await store.commits.history(point.key, 100);
  return history.find(({ value }) => value.operation === operation)?.revision;
}

export function conflictError(operation: string, point: CommitPoint): PloyzError {
  const what = point.kind === "namespace" ? `namespace ${point.commit.namespace}` : `fact ${point.key}`;
  return new PloyzError({
    code: "commit_conflict",
    message: `${what} was changed by another operation while this one ran; it was undone`,
    hint: "run the same command again",
    operationId: operation,
  });
}
