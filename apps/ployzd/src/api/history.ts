import type { Changed, CommitChanges } from "@ployz/primitives/client";
import type { Commit, Volume } from "@ployz/primitives/protocol";

/** A commit's changes against its predecessor. Pure. */
export function changesOf(before: Commit | undefined, after: Commit): CommitChanges {
  const routes = (commit: Commit | undefined) =>
    new Set(commit?.routes.map((route) => JSON.stringify(Object.entries(route).sort())));
  const [had, has] = [routes(before), routes(after)];
  return {
    services: changed(byRevision(before?.services), byRevision(after.services)),
    jobs: changed(byRevision(before?.jobs), byRevision(after.jobs)),
    volumes: changed(byPlace(before?.volumes), byPlace(after.volumes)),
    routes: {
      added: [...has].filter((route) => !had.has(route)).length,
      removed: [...had].filter((route) => !has.has(route)).length,
    },
  };
}

type Marks = ReadonlyMap<string, string>;

const byRevision = (workloads: Readonly<Record<string, { readonly revision: string }>> = {}): Marks =>
  new Map(Object.entries(workloads).map(([name, { revision }]) => [name, revision]));

const byPlace = (volumes: readonly Volume[] = []): Marks =>
  new Map(volumes.map(({ name, id, machine, spec }) => [name, JSON.stringify([id, machine, spec])]));

function changed(before: Marks, after: Marks): Changed {
  return {
    added: [...after.keys()].filter((name) => !before.has(name)),
    changed: [...after].flatMap(([name, mark]) =>
      before.has(name) && before.get(name) !== mark ? [name] : [],
    ),
    removed: [...before.keys()].filter((name) => !after.has(name)),
  };
}
