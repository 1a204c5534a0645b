import { type Document, isAlias, isMap, isNode, isPair, isScalar, parse, visit } from "yaml";
import type { ComposePath } from "./report.ts";
import type { Tag } from "./tree.ts";

/** The parser's warning about a tag of Compose, which it does not know. */
export const TAGGED = /^Unresolved tag: !(?:reset|override)\b/;

interface Tags {
  /** By the path as JSON. */
  readonly tags: ReadonlyMap<string, Tag>;
  /** Offset of the first that stands elsewhere than at a key, or below an anchor, where other places would have it too. */
  readonly misplaced?: number;
}

/** `!reset` and `!override`, of which the values are read as without the tag. */
export function readTags(parsed: Document): Tags {
  const tags = new Map<string, Tag>();
  let misplaced: number | undefined;
  visit(parsed, {
    Node(_, node, ancestors) {
      if (isAlias(node)) return;
      const tag = node.tag === "!reset" ? "reset" : node.tag === "!override" ? "override" : undefined;
      if (tag === undefined) return;
      const path = pathOf(ancestors);
      if (path === undefined || "anchor" in node || ancestors.some((one) => isNode(one) && "anchor" in one))
        misplaced ??= node.range?.[0] ?? 0;
      else tags.set(JSON.stringify(path), tag);
      if (isScalar(node) && node.type === "PLAIN" && node.source !== undefined)
        node.value = parse(node.source);
    },
  });
  return { tags, ...(misplaced !== undefined && { misplaced }) };
}

/** Keys of the maps above a value; undefined: it is an entry of a list, or in one, or a key. */
function pathOf(ancestors: readonly unknown[]): ComposePath | undefined {
  const path: string[] = [];
  const [, ...below] = ancestors; // the document
  for (const one of below) {
    if (isPair(one)) path.push(String(isScalar(one.key) ? one.key.value : one.key));
    else if (!isMap(one)) return undefined;
  }
  return isPair(below.at(-1)) && !path.includes("<<") ? path : undefined;
}
