/**
 * For a daemon that hosts the engine: journals and operations as they are shown, interrupted and nested operations, checks of what the
 * store and the local API deliver.
 *
 * @module
 */
export { allBackups, backupPage } from "./backups/pages.ts";
export { parseBranch } from "./branch/input.ts";
export { programIn, routeUsers, sameSecrets, secretUsers } from "./change/decide/secrets.ts";
export { BODIES, JoinDocument as JoinDocumentSchema, OperationBody } from "./client/bodies.ts";
export { endUnreadable } from "./engine/end-unreadable.ts";
export {
  detailOf,
  fold,
  isFinal,
  next as nextRecord,
  type OperationRecord,
  stepStateOf,
  summaryOf,
} from "./engine/fold.ts";
export { readJournal } from "./engine/journal.ts";
export { nestedOperations } from "./engine/nested.ts";
export { unfinishedOn } from "./engine/predecessors.ts";
export { findPrepared } from "./engine/prepared.ts";
export { markInterrupted, presentSummary, recordedResult, resolveInterrupted } from "./engine/resolve.ts";
export { digestsIn } from "./model/digests.ts";
export { own } from "./model/own.ts";
export { type Shape, shaped } from "./model/shape.ts";
export { commitFault, type Fault, factFault } from "./records/check.ts";
export { checkedStore, type Unreadable, unlessUnreadable, unreadable } from "./records/store.ts";
export { isNamed } from "./rollback/target.ts";
export { nextTick } from "./schedule/cron.ts";
export { allEntries, type ScheduleEntry, scheduleEntries } from "./schedule/entries.ts";
export { decideTicks, type Ticks, withMissed } from "./schedule/ticks.ts";
