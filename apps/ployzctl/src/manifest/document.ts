/** What a manifest's file holds, before it is checked. */
export type Table = { readonly [key: string]: unknown };

export const isTable = (value: unknown): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `over` on top of `base`: tables are merged, everything else is replaced. */
export function merged(base: unknown, over: unknown): unknown {
  if (!isTable(base) || !isTable(over)) return over;
  const all = new Map(Object.entries(base));
  for (const [key, value] of Object.entries(over))
    all.set(key, all.has(key) ? merged(all.get(key), value) : value);
  return Object.fromEntries(all);
}

/** The document with `change` applied to each service and job in it. Other shapes stay, for the check. */
export async function mapWorkloads(document: Table, change: (spec: Table) => Promise<Table>): Promise<Table> {
  const all = new Map(Object.entries(document));
  for (const kind of ["services", "jobs"]) {
    const workloads = all.get(kind);
    if (!isTable(workloads)) continue;
    const changed = Object.entries(workloads).map(
      async ([name, spec]) => [name, isTable(spec) ? await change(spec) : spec] as const,
    );
    all.set(kind, Object.fromEntries(await Promise.all(changed)));
  }
  return Object.fromEntries(all);
}

/** The document with `change` applied to every string in it; `at` is the path of one. */
export function mapStrings(
  value: unknown,
  change: (text: string, at: readonly (string | number)[]) => unknown,
  at: readonly (string | number)[] = [],
): unknown {
  if (typeof value === "string") return change(value, at);
  if (Array.isArray(value)) return value.map((one, index) => mapStrings(one, change, [...at, index]));
  if (!isTable(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, mapStrings(one, change, [...at, key])]),
  );
}
