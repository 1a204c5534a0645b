import type { PlannedStep } from "../../engine/types.ts";
import type { Decision } from "../decide/decision.ts";
import type { ChangeKinds } from "../steps/kinds.ts";
import type { Candidate } from "./candidate.ts";
import { lastStep } from "./candidate.ts";
import { readyStepId } from "./candidates.ts";

type Step = PlannedStep<ChangeKinds>;

/** The order of `after` over the planned steps: a workload that does not start now passes on its own predecessors. */
export function orderOf(decision: Decision, candidates: readonly Candidate[]) {
  const after = new Map<string, readonly string[]>([
    ...decision.services.map(({ name, next }): [string, readonly string[]] => [name, next?.spec.after ?? []]),
    ...decision.jobs.map(({ name, next }): [string, readonly string[]] => [name, next.spec.after]),
  ]);
  const steps = new Map<string, string[]>();
  for (const candidate of candidates) {
    const { kind, name } = candidate;
    // What comes after a service finds it by name.
    if (kind === "service") steps.set(name, [readyStepId(name)]);
    else steps.set(name, [...(steps.get(name) ?? []), lastStep(candidate)]);
  }

  const before = (name: string): readonly string[] => {
    const found = new Set<string>();
    const seen = new Set<string>();
    const queue = [...(after.get(name) ?? [])];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      const own = steps.get(next);
      if (own === undefined) queue.push(...(after.get(next) ?? []));
      else for (const step of own) found.add(step);
    }
    return [...found].sort();
  };
  /** `names` and everything that comes after one of them, directly or not. */
  const following = (names: ReadonlySet<string>): ReadonlySet<string> => {
    const result = new Set(names);
    let size = -1;
    while (size !== result.size) {
      size = result.size;
      for (const [name, list] of after) if (list.some((one) => result.has(one))) result.add(name);
    }
    return result;
  };
  return { before, following };
}

/** Sorts steps behind their needs; otherwise the order stays. */
export function inOrder(steps: readonly Step[], done: Set<string>): readonly Step[] {
  const ordered: Step[] = [];
  let waiting = steps;
  while (waiting.length > 0) {
    const later: Step[] = [];
    for (const step of waiting) {
      const ready = step.needs.every((need) => done.has(need));
      if (ready) done.add(step.id);
      (ready ? ordered : later).push(step);
    }
    if (later.length === waiting.length) throw new Error(`steps wait for each other: ${later[0]?.id}`);
    waiting = later;
  }
  return ordered;
}
