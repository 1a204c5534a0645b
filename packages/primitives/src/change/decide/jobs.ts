import type { Refusal } from "../../engine/types.ts";
import { instanceRevision } from "../../manifest/revision.ts";
import { own } from "../../model/own.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import type { JobDecision, ServiceDecision } from "./decision.ts";
import type { Desired } from "./desired.ts";
import { type Host, needsOf, noFit, place } from "./place.ts";

/** A job runs when it is new or changed, and when a service that comes after it is new or changed. */
export function decideJobs(
  desired: Desired,
  services: readonly ServiceDecision[],
  {
    committed,
    content,
  }: {
    readonly committed: Readonly<Record<string, { readonly revision: string }>>;
    readonly content: ChangeFacts["content"];
  },
  hosts: readonly Host[],
  refusals: Refusal[],
): readonly JobDecision[] {
  const changed = services.filter(
    ({ next, previous }) =>
      next !== undefined &&
      (previous === undefined || instanceRevision(previous.spec) !== instanceRevision(next.spec)),
  );
  const causes = new Map<string, string>();
  for (const { name } of changed) {
    for (const ancestor of ancestors(name, desired)) causes.set(ancestor, causes.get(ancestor) ?? name);
  }
  return Object.entries(desired.jobs).map(([name, next]): JobDecision => {
    const { spec } = next;
    if (!desired.jobsRun || spec.schedule !== undefined) return { name, next };
    const before = own(committed, name);
    const cause = causes.get(name);
    const why =
      before === undefined
        ? "new"
        : before.revision !== next.revision
          ? "changed"
          : cause && `${cause} changed`;
    if (why === undefined) return { name, next };
    const placed = place(needsOf(spec, content), [{ slot: 1 }], [], hosts);
    if (!placed.ok) {
      refusals.push(noFit(`jobs.${name}`, 1, placed));
      return { name, next };
    }
    return { name, next, run: { machine: placed.machines.get(1) ?? "", why } };
  });
}

/** All predecessors of `name`, directly or not. */
function ancestors(name: string, { services, jobs }: Desired): ReadonlySet<string> {
  const seen = new Set<string>();
  const queue = [name];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    for (const before of (own(services, next) ?? own(jobs, next))?.spec.after ?? []) {
      if (!seen.has(before)) queue.push(before);
      seen.add(before);
    }
  }
  return seen;
}
