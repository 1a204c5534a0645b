import { errorBody } from "@ployz/errors";
import type { OperationSummary } from "../model/operation.ts";
import type { Store } from "../ports/store.ts";
import { unlessUnreadable } from "../records/store.ts";
import type { Clock } from "./clock.ts";
import { fold, isFinal, summaryOf } from "./fold.ts";

/**
 * Ends an operation whose journal cannot be read, and that no daemon runs: it can be neither resumed nor undone. Resolves with its
 * summary then; with undefined when its journal can be read, after replacing an unreadable summary.
 */
export async function endUnreadable(
  { journals, leases }: Pick<Store, "journals" | "leases">,
  operation: string,
  clock: Pick<Clock, "now">,
): Promise<OperationSummary | undefined> {
  const [read] = await Promise.allSettled([journals.read(operation)]);
  const stored = await unlessUnreadable(journals.summary(operation));
  const summary = stored?.value;
  if (read.status === "fulfilled") {
    const record = fold(read.value);
    if (record !== undefined && summary === undefined)
      await journals.putSummary(operation, summaryOf(record));
    return undefined;
  }
  const error = errorBody(read.reason);
  if (error.code !== "record_unreadable") throw read.reason;
  if ((await leases.list()).some(({ holder }) => holder.operation === operation)) return undefined;
  if (summary !== undefined && isFinal(summary.state)) return summary;
  const now = new Date(clock.now()).toISOString();
  const nothing = { primitive: "unknown", scope: [], coordinator: "unknown", by: "unknown", startedAt: now };
  const ended: OperationSummary = {
    ...(summary ?? { ...nothing, operation, title: "unknown" }),
    ...{ state: "failed", endedAt: now, error },
  };
  await journals.putSummary(operation, ended);
  return ended;
}
