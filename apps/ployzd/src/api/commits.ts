import { branchManifest, renderManifest } from "@ployz/primitives";
import type { CommitDocument, CommitHistory, ManifestDocument } from "@ployz/primitives/client";
import { unknownName } from "@ployz/primitives/client";
import { isNamed, parseBranch } from "@ployz/primitives/host";
import { type Commit, isLabel, type Store, shown } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import { changesOf } from "./history.ts";
import { withoutValues } from "./without-values.ts";

type Head = { readonly revision: number; readonly commit: Commit };
type Commits = Store["commits"];

/** The number of past commits that can be named. */
const MAX_HISTORY = 1000;

export async function commitHistory(
  commits: Commits,
  namespace: string,
  limit: number,
): Promise<CommitHistory> {
  // One more, to compute the changes of the oldest one.
  const heads = await history(commits, namespace, limit + 1);
  if (heads.length === 0) throw await noNamespace(commits, namespace);
  return {
    kind: "history",
    namespace,
    commits: heads.slice(0, limit).map(({ revision, commit }, index) => {
      const { operation, primitive, at, by, lineage, removed } = commit;
      return {
        revision,
        ...{ operation, primitive, at, by },
        ...(lineage && { lineage }),
        ...(removed && { removed }),
        changes: changesOf(heads[index + 1]?.commit, commit),
      };
    }),
  };
}

export async function commitDocument(
  commits: Commits,
  namespace: string,
  name: string,
): Promise<CommitDocument> {
  const { revision, commit } = await findCommit(commits, namespace, name);
  return { kind: "commit", namespace, revision, commit: withoutValues(commit) };
}

export async function manifestDocument(
  commits: Commits,
  namespace: string,
  name = "last",
): Promise<ManifestDocument> {
  const { revision, commit } = await findCommit(commits, namespace, name);
  if (commit.removed)
    throw name === "last"
      ? await noNamespace(commits, namespace)
      : new PloyzError({
          code: "commit_removed",
          message: `commit ${revision} removed namespace ${namespace}`,
          hint: `ployzctl history ${namespace}`,
        });
  return { kind: "manifest", namespace, revision, text: renderManifest(commit) };
}

/** The manifest that `branch` with this input would create. */
export async function branchDocument(commits: Commits, input: unknown): Promise<ManifestDocument> {
  const parsed = parseBranch(input);
  if (!parsed.ok) throw new PloyzError(parsed.refusals[0] ?? invalid("the input is not an input of branch"));
  const { source, target } = parsed.input;
  const { revision, commit } = await findCommit(commits, source, "last");
  if (commit.removed) throw await noNamespace(commits, source);
  const rendered = branchManifest(parsed.input, commit);
  if ("refusals" in rendered) throw new PloyzError(rendered.refusals[0] ?? invalid("it cannot be branched"));
  return { kind: "manifest", namespace: target, revision, text: rendered.text };
}

/** `name` is `last`, a revision, or an operation's id or its first characters, as in `rollback --to`. */
async function findCommit(commits: Commits, namespace: string, name: string): Promise<Head> {
  if (name === "last") {
    const [last] = await history(commits, namespace, 1);
    if (last === undefined) throw await noNamespace(commits, namespace);
    return last;
  }
  const found = (await near(commits, namespace, name)).filter((head) => isNamed(name, head));
  const [first, ...more] = found;
  if (first === undefined)
    throw new PloyzError({
      code: "no_such_commit",
      message: `${namespace} has no commit ${shown(name)}`,
      hint: `ployzctl history ${namespace}`,
    });
  if (more.length > 0)
    throw new PloyzError({
      code: "commit_ambiguous",
      message: `${shown(name)} matches ${found.length} commits of ${namespace}`,
      hint: "use more characters, or the revision",
    });
  return first;
}

/** Reads a revision directly; finds an operation's commit by walking back. */
async function near(commits: Commits, namespace: string, name: string): Promise<readonly Head[]> {
  if (!/^[1-9][0-9]{0,14}$/.test(name)) return history(commits, namespace, MAX_HISTORY);
  const entry = await commits.at(namespaceOf(namespace), Number(name));
  return entry === undefined ? [] : [headOf(entry)];
}

async function history(commits: Commits, namespace: string, limit: number): Promise<readonly Head[]> {
  return (await commits.history(namespaceOf(namespace), limit)).map(headOf);
}

const headOf = ({ value, revision }: Awaited<ReturnType<Commits["history"]>>[number]): Head => ({
  commit: value,
  revision,
});

/** Names become subjects of the store: refuse everything else. */
function namespaceOf(text: string): string {
  if (isLabel(text)) return text;
  throw new PloyzError(invalid(`${shown(text)} is not a valid namespace name`));
}

const invalid = (message: string) => ({ code: "invalid_input" as const, message });
async function noNamespace(commits: Commits, namespace: string): Promise<PloyzError> {
  const heads = await commits.heads();
  const names = heads.flatMap(({ value }) => (value.removed ? [] : [value.namespace]));
  return new PloyzError(unknownName("namespace", namespace, names));
}
