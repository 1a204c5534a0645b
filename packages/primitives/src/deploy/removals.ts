import { liveHead } from "../change/decide/as-it-is.ts";
import type { Head } from "../change/observe/facts.ts";
import type { Refusal } from "../error-codes.ts";
import type { NormalManifest } from "../manifest/normalise.ts";
import { routeKey } from "../model/route-place.ts";

/** Services and routes of the last commit that the manifest leaves out: perhaps it is another namespace's. Volumes stay in any case. */
export function refuseRemovals(
  { namespace, services }: NormalManifest,
  head: Head | undefined,
): readonly Refusal[] {
  const commit = liveHead(head)?.commit;
  if (commit === undefined) return [];
  const wanted = new Set(Object.values(services).flatMap(({ routes }) => routes.map(routeKey)));
  const gone = Object.keys(commit.services).filter((name) => !Object.hasOwn(services, name));
  const routes = commit.routes.map(routeKey).filter((route) => !wanted.has(route));
  const all = [...gone.map((name) => `service ${name}`), ...routes.map((route) => `route ${route}`)];
  if (all.length === 0) return [];
  return [
    {
      code: "would_remove",
      message: `this deploy removes from ${namespace}: ${all.join(", ")}`,
      hint: "show the plan with -n; if they are to go, pass --yes",
      details: { namespace, services: gone, routes },
    },
  ];
}
