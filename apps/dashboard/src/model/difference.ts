import type { CommitDocument } from "@ployz/primitives/client";

type Commit = CommitDocument["commit"];

/** One field of a commit that differs. Without a side: it is not there. */
export interface Difference {
  readonly path: string;
  readonly before?: string;
  readonly after?: string;
}

/** What differs between two commits, field by field. Who made them and when is left out. Pure. */
export function differencesOf(before: Commit, after: Commit): readonly Difference[] {
  const [had, has] = [fieldsOf(before), fieldsOf(after)];
  return [...new Set([...had.keys(), ...has.keys()])]
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
    .flatMap((path) => {
      const [old, now] = [had.get(path), has.get(path)];
      if (old === now) return [];
      return [{ path, ...(old !== undefined && { before: old }), ...(now !== undefined && { after: now }) }];
    });
}

function fieldsOf({ services, jobs, instances, volumes, routes }: Commit): ReadonlyMap<string, string> {
  const byName = <T>(list: readonly T[], name: (one: T) => string) =>
    Object.fromEntries(list.map((one) => [name(one), one]));
  const fields = new Map<string, string>();
  const walk = (path: string, value: unknown) => {
    if (typeof value === "object" && value !== null) {
      const entries = Object.entries(value);
      if (entries.length === 0) fields.set(path, "{}");
      for (const [key, item] of entries) walk(path === "" ? key : `${path}.${key}`, item);
    } else if (value !== undefined)
      fields.set(path, typeof value === "string" ? value : JSON.stringify(value));
  };
  walk("services", services);
  walk("jobs", jobs);
  walk(
    "instances",
    byName(instances, ({ service, slot }) => `${service}.${slot}`),
  );
  walk(
    "volumes",
    byName(volumes, ({ name }) => name),
  );
  walk(
    "routes",
    byName(routes, (route) =>
      route.kind === "http" ? `${route.host}${route.path}` : `${route.kind} ${route.listen}`,
    ),
  );
  return fields;
}
