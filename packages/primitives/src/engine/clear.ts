import type { Owed } from "../model/journal.ts";
import type { LeaseKeeper } from "./leases.ts";
import type { Planned } from "./planning.ts";
import { committedAt, isResumable, resolve, type Unfinished, unknownVersion } from "./predecessors.ts";
import { type Run, sessionFor } from "./run-context.ts";
import { stillHolds } from "./still-holds.ts";

/** The operation that a run continues. */
export interface Resume {
  readonly unfinished: Unfinished;
  /** Absent when it had no plan yet. */
  readonly planned?: Planned;
}

/** Ends unfinished operations on these scopes. Resolves with the one to resume, if any. */
export async function clear(
  run: Run,
  keeper: LeaseKeeper,
  found: readonly Unfinished[],
  /** `resolved`: ended by an earlier round of this run, so not retried. */
  { warnings, resolved }: { readonly warnings: string[]; readonly resolved: Set<string> },
): Promise<Resume | undefined> {
  const { deps } = run;
  // All are checked first: if one has an unknown version, none is touched.
  const known = found.flatMap((unfinished) => {
    const { record } = unfinished;
    const owner =
      record.primitive === run.registered.primitive.name
        ? run.registered
        : deps.primitives?.get(record.primitive);
    if (owner !== undefined && owner.primitive.version === record.version) return [{ unfinished, owner }];
    if (record.state !== "cleanup-owed") throw unknownVersion(record);
    warnings.push(`${unknownVersion(record).message}; it still owes cleanup`);
    return [];
  });
  let resume: Resume | undefined;
  for (const { unfinished, owner } of known) {
    const { record } = unfinished;
    const newest = unfinished === found.at(-1);
    const revision = await committedAt(record, owner.ports.store);
    if (newest && revision === undefined && isResumable(record, run.registered, run.input)) {
      const planned = await stillHolds(run, record.plan, record.operation);
      if (record.plan === undefined || planned !== undefined) {
        resume = { unfinished, ...(planned && { planned }) };
        continue;
      }
    }
    if (record.state === "cleanup-owed" && resolved.has(record.operation)) {
      warnings.push(...record.owed.map((owed) => stillOwes(record.operation, owed)));
      continue;
    }
    resolved.add(record.operation);
    deps.emit({
      type: "waiting",
      what: `operation ${record.operation}, which ${record.state === "cleanup-owed" ? "owes cleanup" : "was interrupted"}, to be ${revision === undefined ? "undone" : "finished"}`,
    });
    const session = sessionFor(run, owner, keeper, unfinished);
    const why = {
      code: "interrupted",
      message: `operation ${record.operation} was interrupted and has been undone`,
      operationId: record.operation,
    };
    const ending = await resolve(session, record, {
      why,
      ...(revision !== undefined && { revision }),
      ...(record.state === "cleanup-owed" && { capMs: run.limits.owedRetryMs }),
    });
    warnings.push(...ending.owed.map((owed) => stillOwes(record.operation, owed)));
  }
  return resume;
}

const stillOwes = (operation: string, { step, error }: Owed): string =>
  `operation ${operation} still owes the cleanup of "${step}": ${error.message}`;
