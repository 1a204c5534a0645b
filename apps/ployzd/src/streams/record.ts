import { fold, summaryOf } from "@ployz/primitives/host";
import type { Instance, JournalEntry, Store, StreamAsk } from "@ployz/primitives/protocol";

/**
 * Lists who ran what, and where, in the operation log, as an operation that ended when the program began: nothing is ever owed for it.
 * In the background, and only while the store answers.
 */
export function recordStream(
  { store, self, log }: { readonly store: Store; readonly self: string; log(error: unknown): void },
  asked: Extract<StreamAsk, { kind: "exec" | "run" }>,
  {
    operation,
    id,
    slot,
    machine,
  }: Pick<Instance, "id" | "machine"> & { operation: string; slot: number | "run" },
): void {
  const { kind, namespace, service, argv, private: hidden, by } = asked;
  const as = asked.kind === "exec" ? asked.as : undefined;
  const what = as === undefined ? argv !== undefined && { argv } : { as };
  const stamp = { t: Date.now(), run: operation };
  const entries: readonly JournalEntry[] = [
    {
      ...{ type: "opened", operation, primitive: kind, version: 1, coordinator: self, by },
      input: { machine, instance: id, ...(hidden !== true && what) },
      scope: [`${kind}.${namespace}/${service}.${slot}`],
      ...stamp,
    },
    { type: "ended", state: "done", owed: [], ...stamp },
  ];
  const write = async () => {
    for (const [index, entry] of entries.entries()) await store.journals.append(operation, index, entry);
    const record = fold(entries);
    if (record !== undefined) await store.journals.putSummary(operation, summaryOf(record));
  };
  write().catch(log);
}
