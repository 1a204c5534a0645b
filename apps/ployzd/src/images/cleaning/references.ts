import { digestsIn, unfinishedOn } from "@ployz/primitives/host";
import { type Commit, isOperationId, type Store } from "@ployz/primitives/protocol";
import type { Retention } from "../../config/load.ts";
import { headOrUnreadable } from "../../state/records.ts";

/** What needs each digest, as an operator knows it. */
export interface References {
  readonly users: ReadonlyMap<string, readonly string[]>;
  /** Why not all users are known: an operation that holds a lease has no plan yet, or a commit cannot be read. */
  readonly waitsFor?: string;
}

const DAY_MS = 86_400_000;
/** What these plan with, they do not need. */
const CLEANING = ["image-prune", "image-rm"];

/**
 * Digests that commits within the retention, prepared plans and unfinished operations name, of all namespaces. An operation takes its lease before it looks at
 * machines: one that has looked already is either in this answer, or is what this answer waits for.
 */
export async function readReferences(
  store: Store,
  { retention, now }: { readonly retention: Retention; readonly now: number },
): Promise<References> {
  const users = new Map<string, string[]>();
  const add = (who: string, record: Parameters<typeof digestsIn>[0]) => {
    for (const digest of digestsIn(record)) users.set(digest, [...(users.get(digest) ?? []), who]);
  };
  // Leases first: an operation that ends meanwhile has committed before, and its commit is read after.
  const held = await store.leases.list();
  const unfinished = await unfinishedOn(store.journals);
  const known = new Set<string>();
  for (const { record } of unfinished) {
    if (CLEANING.includes(record.primitive)) known.add(record.operation);
    else if (record.plan !== undefined) {
      known.add(record.operation);
      add(`operation ${record.operation}`, [record.input, JSON.stringify(record.plan)]);
    }
  }
  let waitsFor: string | undefined;
  for (const { scope, holder } of held) {
    const { operation } = holder;
    if (known.has(operation) || !isOperationId(operation) || scope === "store") continue;
    if (CLEANING.some((name) => scope.startsWith(name))) continue;
    if (!(await hasEnded(store, operation))) waitsFor ??= `operation ${operation} has no plan yet`;
  }
  for (const { value } of await store.facts.list("prepared"))
    if (Date.parse(value.expiresAt) > now) add(`a prepared plan of ${value.by}`, value.content ?? []);
  for (const { value: head } of await store.commits.heads()) {
    if ((await headOrUnreadable(store, head.namespace)) === "unreadable")
      waitsFor ??= `the last commit of ${head.namespace} cannot be read`;
    for (const [index, commit] of (await heldCommits(store, head.namespace, { retention, now })).entries())
      for (const [who, record] of programsOf(commit))
        add(index === 0 ? who : `${who} of an earlier commit`, record);
  }
  return { users, ...(waitsFor !== undefined && { waitsFor }) };
}

async function hasEnded({ journals }: Store, operation: string): Promise<boolean> {
  const state = (await journals.summary(operation))?.value.state;
  return state === "done" || state === "failed" || state === "aborted";
}

/** Newest first: the last ones and the young ones, which a rollback may go back to. */
async function heldCommits(
  { commits }: Store,
  namespace: string,
  { retention, now }: { readonly retention: Retention; readonly now: number },
): Promise<readonly Commit[]> {
  const young = (commit: Commit) => now - Date.parse(commit.at) <= retention.days * DAY_MS;
  for (let limit = Math.max(1, retention.last); ; limit *= 4) {
    const found = (await commits.history(namespace, limit)).map(({ value }) => value);
    const [oldest] = found.slice(-1);
    if (oldest !== undefined && found.length >= limit && young(oldest)) continue;
    return found.filter((commit, index) => index < Math.max(1, retention.last) || young(commit));
  }
}

const programsOf = ({ namespace, services, jobs }: Commit) =>
  Object.entries({ ...services, ...jobs }).map(
    ([name, { spec }]) =>
      [`${namespace}/${name}`, [spec.image?.digest ?? "", spec.bundle?.digest ?? ""]] as const,
  );
