import { isTable } from "../manifest/document.ts";
import type { ComposePath } from "./report.ts";

/** Where a value is written. */
export interface Origin {
  /** Index of the file. */
  readonly file: number;
  readonly path: ComposePath;
}

/** A tag of Compose: a later file removes the value, or takes the place of an earlier one whole. */
export type Tag = "reset" | "override";

/** A value of a Compose file that remembers where it is written. */
export type Tree = { readonly at: Origin; readonly tag?: Tag } & (
  | { readonly kind: "map"; readonly entries: ReadonlyMap<string, Tree> }
  | { readonly kind: "list"; readonly items: readonly Tree[] }
  | { readonly kind: "scalar"; readonly value: unknown }
);

/** A parsed value as a tree; `tagOf` reads the tag at a path. */
export function treeOf(value: unknown, at: Origin, tagOf: (path: ComposePath) => Tag | undefined): Tree {
  const tag = tagOf(at.path);
  const base = { at, ...(tag !== undefined && { tag }) };
  const inner = (key: string | number, one: unknown) =>
    treeOf(one, { ...at, path: [...at.path, key] }, tagOf);
  if (Array.isArray(value))
    return { ...base, kind: "list", items: value.map((one, index) => inner(index, one)) };
  if (!isTable(value)) return { ...base, kind: "scalar", value };
  const entries = Object.entries(value).map(([key, one]) => [key, inner(key, one)] as const);
  return { ...base, kind: "map", entries: new Map(entries) };
}

export function plain(tree: Tree): unknown {
  if (tree.kind === "scalar") return tree.value;
  if (tree.kind === "list") return tree.items.map(plain);
  return Object.fromEntries([...tree.entries].map(([key, one]) => [key, plain(one)]));
}

/** Where the value at `path` is written, or the nearest one above it. */
export function originOf(tree: Tree, path: ComposePath): Origin {
  const [key, ...rest] = path;
  const inner =
    tree.kind === "map"
      ? tree.entries.get(String(key))
      : tree.kind === "list"
        ? tree.items[Number(key)]
        : undefined;
  return key === undefined || inner === undefined
    ? { ...tree.at, path: [...tree.at.path, ...path] }
    : originOf(inner, rest);
}

/** Without what `!reset` removes; undefined: it removes all. */
export function withoutReset(tree: Tree): Tree | undefined {
  if (tree.tag === "reset") return undefined;
  if (tree.kind !== "map") return tree;
  const entries = [...tree.entries].flatMap(([key, one]): [string, Tree][] => {
    const left = withoutReset(one);
    return left === undefined ? [] : [[key, left]];
  });
  return { ...tree, entries: new Map(entries) };
}
