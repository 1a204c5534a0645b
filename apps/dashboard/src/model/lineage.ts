import type { NamespaceRow } from "@ployz/primitives/client";

export interface Branch {
  readonly row: NamespaceRow;
  /** 0: branched from nothing that is still there. */
  readonly depth: number;
}

/** The namespaces, each below the one that it was branched from. Pure. */
export function lineage(rows: readonly NamespaceRow[]): readonly Branch[] {
  const names = new Set(rows.map(({ namespace }) => namespace));
  const parentOf = ({ namespace, commit }: NamespaceRow) =>
    commit.branchedFrom !== undefined && commit.branchedFrom !== namespace && names.has(commit.branchedFrom)
      ? commit.branchedFrom
      : undefined;
  const done = new Set<string>();
  const below = (parent: string | undefined, depth: number): readonly Branch[] =>
    rows
      .filter((row) => parentOf(row) === parent && !done.has(row.namespace))
      .sort((a, b) => a.namespace.localeCompare(b.namespace, "en", { numeric: true }))
      .flatMap((row) => {
        done.add(row.namespace);
        return [{ row, depth }, ...below(row.namespace, depth + 1)];
      });
  const tree = below(undefined, 0);
  // Two that were branched from each other have no root.
  return [...tree, ...rows.filter(({ namespace }) => !done.has(namespace)).map((row) => ({ row, depth: 0 }))];
}
