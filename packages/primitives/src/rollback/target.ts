import type { Head } from "../change/observe/facts.ts";
import type { Refusal } from "../engine/types.ts";
import type { History, RollbackInput } from "./input.ts";

export type Target =
  | {
      readonly ok: true;
      readonly head: Head;
      /** The commit that replaced it, which knows its data; absent for the present one. */
      readonly next?: Head;
      /** This very rollback was the last thing that was done. */
      readonly done: boolean;
    }
  | { readonly ok: false; readonly refusal: Refusal };

/** The commit that a rollback goes to. */
export function findTarget({ namespace, to }: RollbackInput, history: History): Target {
  const [last] = history;
  if (to === undefined) {
    // The same command again, say because the answer to the first was lost, must not go forward to the commit that it just left.
    const left = last?.commit.primitive === "rollback" ? last.commit.lineage?.revision : undefined;
    const back = history.findIndex(({ revision }) => revision === left);
    return at(history, back > 0 ? back : 1 + repaired(history), namespace);
  }
  const matches = history.flatMap((head, index) => (isNamed(to, head) ? [index] : []));
  const [index] = matches;
  if (index === undefined || last === undefined) {
    return refused({
      code: "no_such_commit",
      message: `${namespace} has no commit ${to}`,
      hint: `ployzctl history ${namespace}`,
    });
  }
  if (matches.length > 1) {
    return refused({
      code: "commit_ambiguous",
      message: `${to} begins the names of ${matches.length} commits of ${namespace}`,
      hint: "use more characters, or the revision",
    });
  }
  return at(history, index, namespace);
}

/** How far back the commit is whose state the last one, a repair, has committed again. 0: the last one is no repair. */
function repaired(history: History): number {
  const [last] = history;
  if (last?.commit.primitive !== "namespace-repair") return 0;
  return Math.max(
    0,
    history.findIndex(({ revision }) => revision === last.commit.lineage?.revision),
  );
}

/** Whether `to` is the commit's revision, or its operation's id or at least six characters of its beginning. */
export function isNamed(to: string, { commit, revision }: Head): boolean {
  if (to === String(revision)) return true;
  return to.length >= 6 && commit.operation.startsWith(to.toUpperCase());
}

function at(history: History, index: number, namespace: string): Target {
  const head = history[index];
  const next = history[index - 1];
  const [last] = history;
  if (head === undefined) {
    return refused({
      code: "no_such_commit",
      message: `${namespace} has no commit before its last one`,
      hint: `ployzctl history ${namespace}`,
    });
  }
  if (head.commit.removed) {
    return refused({
      code: "commit_removed",
      message: `at commit ${head.revision} ${namespace} was removed`,
      hint: `ployzctl namespace rm ${namespace} removes it; choose another commit with --to`,
    });
  }
  const done =
    index > 0 && last?.commit.primitive === "rollback" && last.commit.lineage?.revision === head.revision;
  return { ok: true, head, ...(next && { next }), done };
}

const refused = (refusal: Refusal): Target => ({ ok: false, refusal });
