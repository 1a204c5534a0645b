import { targetOf } from "./mounts.ts";
import { portKey } from "./ports.ts";
import type { ComposePath, Report } from "./report.ts";
import { plain, type Tree, withoutReset } from "./tree.ts";
import { scalarText } from "./words.ts";

/** How a later file's value is laid over an earlier one's; both are there. */
type Rule = (base: Tree, over: Tree, step: Step) => Tree | undefined;
interface Step {
  readonly path: ComposePath;
  /** Of the later file. */
  readonly report: Report;
}

/**
 * A Compose file laid over another one, as `docker compose -f A -f B` does: maps are merged, lists follow each other, and what names one thing (a port, a
 * mount, a variable) is there once. https://github.com/compose-spec/compose-spec/blob/main/13-merge.md
 */
export const mergedTrees = (base: Tree, over: Tree, report: Report): Tree | undefined =>
  laid(base, over, { path: [], report });

function laid(base: Tree, over: Tree, step: Step): Tree | undefined {
  if (over.tag !== undefined) return withoutReset(over);
  // A key without a value changes nothing.
  if (over.kind === "scalar" && over.value === null) return base;
  return (ruleOf(step.path) ?? generic)(base, over, step);
}

const generic: Rule = (base, over, { path, report }) => {
  if (base.kind === "map" && over.kind === "map") {
    const entries = new Map(base.entries);
    for (const [key, one] of over.entries) {
      const before = entries.get(key);
      const step = { path: [...path, key], report };
      const after = before === undefined ? withoutReset(one) : laid(before, one, step);
      if (after === undefined) entries.delete(key);
      else entries.set(key, after);
    }
    return { kind: "map", entries, at: over.at };
  }
  if (base.kind === "list" && over.kind === "list") return { ...over, items: [...base.items, ...over.items] };
  if (base.kind !== "scalar" && over.kind !== "scalar")
    report.add(
      over.at.path,
      `is a ${over.kind}, and a ${base.kind} in an earlier file`,
      "write both alike, or replace it whole: !override",
    );
  return over;
};

const replaced: Rule = (_, over) => over;

/** Fields of a manifest are laid over each other as manifests are: lists are replaced. */
const own: Rule = (base, over, step) =>
  base.kind === "map" && over.kind === "map" ? generic(base, over, step) : over;

/** A list of `NAME=VALUE` is a map. */
const pairs: Rule = (base, over, step) => {
  const [before, after] = [asMap(base), asMap(over)];
  if (before.kind !== "map" || after.kind !== "map") return generic(before, after, step);
  const entries = new Map(before.entries);
  for (const [key, one] of after.entries) {
    const left = withoutReset(one);
    // A variable without a value takes the place of one with a value.
    if (left === undefined) entries.delete(key);
    else entries.set(key, left);
  }
  return { ...after, entries };
};

function asMap(tree: Tree): Tree {
  if (tree.kind !== "list") return tree;
  const entries = tree.items.map((item): [string, Tree] => {
    const text = scalarText(plain(item));
    const cut = text.indexOf("=");
    const value = cut < 0 ? null : text.slice(cut + 1);
    return [cut < 0 ? text : text.slice(0, cut), { kind: "scalar", value, at: item.at }];
  });
  return { kind: "map", entries: new Map(entries), at: tree.at };
}

/** Lists follow each other; an entry takes the place of an earlier one with the same key. */
const unique =
  (keyOf: (value: unknown) => string, prepare = (tree: Tree): Tree => tree): Rule =>
  (base, over, step) => {
    const [before, after] = [prepare(base), prepare(over)];
    if (before.kind !== "list" || after.kind !== "list") return generic(before, after, step);
    const found = new Map(before.items.map((item) => [keyOf(plain(item)), item]));
    for (const item of after.items) found.set(keyOf(plain(item)), item);
    return { ...after, items: [...found.values()] };
  };

const asList = (tree: Tree): Tree =>
  tree.kind === "scalar" ? { kind: "list", items: [tree], at: tree.at } : tree;

/** A map of names and addresses as a list. */
const hostList = (tree: Tree): Tree =>
  tree.kind === "map"
    ? {
        ...{ kind: "list", at: tree.at },
        items: [...tree.entries].map(
          ([name, one]): Tree => ({
            ...{ kind: "scalar", at: one.at, value: `${name}=${scalarText(plain(one))}` },
          }),
        ),
      }
    : tree;

const text = (value: unknown): string => scalarText(value);
const field = (value: unknown, name: string): unknown => (value as Readonly<Record<string, unknown>>)[name];
const isLong = (value: unknown): boolean => typeof value === "object" && value !== null;
const placeOf = (folder: string) => (value: unknown) => {
  const source = isLong(value) ? field(value, "source") : value;
  const target = scalarText((isLong(value) ? field(value, "target") : undefined) ?? source);
  return target.startsWith("/") ? target : `${folder}${target}`;
};
const deviceOf = (value: unknown): string => {
  if (isLong(value)) return scalarText(field(value, "target") ?? field(value, "source"));
  const [source = "", target = ""] = scalarText(value).split(":");
  return target.startsWith("/") ? target : source;
};
const pathOf = (value: unknown): string => scalarText(isLong(value) ? field(value, "path") : value);

/** A folder alone is the context of a build. */
const build: Rule = (base, over, step) => {
  const table = (tree: Tree): Tree =>
    tree.kind === "scalar" ? { kind: "map", entries: new Map([["context", tree]]), at: tree.at } : tree;
  return generic(table(base), table(over), step);
};

const started = ({ at }: Tree): Tree => ({ kind: "scalar", value: "service_started", at });
const dependsOn: Rule = (base, over, step) => {
  const table = (tree: Tree): Tree =>
    tree.kind === "list"
      ? {
          ...{ kind: "map", at: tree.at },
          entries: new Map(
            tree.items.map((item): [string, Tree] => [
              scalarText(plain(item)),
              { kind: "map", entries: new Map([["condition", started(item)]]), at: item.at },
            ]),
          ),
        }
      : tree;
  return generic(table(base), table(over), step);
};

const OF_SERVICE: ReadonlyMap<string, Rule> = new Map([
  ["command", replaced],
  ["entrypoint", replaced],
  ["healthcheck.test", replaced],
  ["environment", pairs],
  ["sysctls", pairs],
  ["labels", pairs],
  ["annotations", pairs],
  ["build", build],
  ["build.args", pairs],
  ["depends_on", dependsOn],
  ["env_file", unique(pathOf, asList)],
  ["tmpfs", unique((value) => scalarText(value).split(":")[0] ?? "", asList)],
  ["extra_hosts", unique((value) => scalarText(value).replace(/[=:]/, "="), hostList)],
  ["ports", unique(portKey)],
  ["volumes", unique(targetOf)],
  ["configs", unique(placeOf("/"))],
  ["secrets", unique(placeOf("/run/secrets/"))],
  ["devices", unique(deviceOf)],
  ["expose", unique(text)],
  ["cap_add", unique(text)],
  ["cap_drop", unique(text)],
  ["group_add", unique(text)],
]);

function ruleOf(path: ComposePath): Rule | undefined {
  if (path.includes("x-ployz")) return own;
  const [kind, , ...rest] = path;
  return kind === "services" ? OF_SERVICE.get(rest.join(".")) : undefined;
}
