import type { OperationSummary } from "@ployz/primitives/protocol";

/** Prints a line for each property of each dataset and snapshot below the root of the volumes; nothing where there is no pool. */
export const LOOK_AT_DATASETS = String.raw`
zfs get -rHp -o name,property,value type,userrefs,ployz:volume,ployz:operation,ployz:sealed-by,ployz:retired-here tank/ployz 2>/dev/null | sed 's/^/zfs\t/'
`;

interface Dataset {
  readonly name: string;
  /** By property; without those that are not set. */
  readonly values: ReadonlyMap<string, string>;
}

/**
 * The contents of a machine's pool, one line each: volumes with their state, incoming copies, holds, and unexpected datasets. Leaves out
 * retired copies and snapshots of committed operations, which are kept on purpose.
 */
export function inPool(lines: readonly string[], operations: readonly OperationSummary[]): readonly string[] {
  const committed = new Set(
    operations.filter(({ revision }) => revision !== undefined).map(({ operation }) => operation),
  );
  const kept = (operation: string | undefined) => committed.has((operation ?? "").toUpperCase());
  return datasetsIn(lines).flatMap((dataset): string[] => {
    const [path = "", snapshot] = dataset.name.split("@");
    const [place, ...rest] = path.split("/").slice(2);
    const get = (property: string) => dataset.values.get(property);
    if (snapshot !== undefined) {
      const held = Number(get("userrefs") ?? 0) > 0 ? [`hold on ${path}@${snapshot}`] : [];
      // Also of a round of a move that has committed: its settling removes them.
      return kept(snapshot) ? held : [...held, `snapshot ${path}@${snapshot}`];
    }
    if (place === undefined || rest.length === 0) return [];
    if (place === "incoming") return [`incoming ${rest.join("/")}`];
    if (place === "retired")
      return kept(get("ployz:operation")) || rest[0]?.includes(".aside-")
        ? []
        : [`retired ${rest.join("/")}`];
    if (rest.length === 1) return []; // the parent of a namespace's volumes stays
    if (get("ployz:retired-here") !== undefined) return [];
    return [
      `volume ${get("ployz:volume") ?? path} ${get("ployz:sealed-by") === undefined ? "active" : "sealed"}`,
    ];
  });
}

function datasetsIn(lines: readonly string[]): readonly Dataset[] {
  const found = new Map<string, Map<string, string>>();
  for (const line of lines) {
    const [name = "", property = "", value = "-"] = line.split("\t");
    const values = found.get(name) ?? new Map<string, string>();
    found.set(name, values);
    // A snapshot shows its dataset's properties as its own.
    if (value !== "-") values.set(property, value);
  }
  return [...found].map(([name, values]) => ({ name, values }));
}
