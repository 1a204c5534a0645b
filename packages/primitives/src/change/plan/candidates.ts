import type { PlannedStep } from "../../engine/types.ts";
import type { Decision } from "../decide/decision.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import type { ChangeKinds } from "../steps/kinds.ts";
import { type Candidate, labelOf, lastStep } from "./candidate.ts";
import type { createGates } from "./gates.ts";

type Step = PlannedStep<ChangeKinds>;
type Gates = ReturnType<typeof createGates>;

export const ANNOUNCE = "announce candidates";

/** Who has to know before a candidate starts: every machine from which, or to which, this namespace's workloads talk. */
export function announceStep(
  { namespace, services }: Decision,
  candidates: readonly Candidate[],
  { facts, gates }: { readonly facts: Pick<ChangeFacts, "candidates" | "machines">; readonly gates: Gates },
): readonly Step[] {
  if (candidates.length === 0) return [];
  const answering = facts.machines.flatMap(({ record, observation }) => (observation ? [record.id] : []));
  const staying = services.flatMap(({ keep, retire }) => [...keep, ...retire]);
  const involved = new Set([...candidates, ...staying].map(({ machine }) => machine));
  return [
    {
      id: ANNOUNCE,
      kind: "candidates.announce",
      args: {
        namespace,
        expected: facts.candidates,
        instances: candidates.map((candidate) => ({
          id: candidate.id,
          service: candidate.name,
          slot: candidate.slot,
          machine: candidate.machine,
          ports: candidate.kind === "service" ? candidate.spec.ports : {},
          reserve: `reserve ${labelOf(candidate)}`,
        })),
        leaving: services.flatMap(({ retire }) => retire.map(({ id }) => id)),
        machines: answering.filter((machine) => involved.has(machine)),
      },
      title: `make ${candidates.length} candidates known to packet filters and DNS`,
      needs: gates.all(candidates.map((candidate) => `reserve ${labelOf(candidate)}`)),
    },
  ];
}

export const readyStepId = (service: string): string => `name ${service}`;

/** One for each service that others of this operation come after: they find its new instances by name. */
export function readySteps(
  { namespace }: Decision,
  candidates: readonly Candidate[],
  { after, gates }: { readonly after: (name: string) => readonly Candidate[]; readonly gates: Gates },
): readonly Step[] {
  const services = new Set(candidates.flatMap(({ kind, name }) => (kind === "service" ? [name] : [])));
  return [...services].flatMap((service): Step[] => {
    const followers = after(service);
    const own = candidates.filter(({ name }) => name === service);
    if (followers.length === 0) return [];
    return [
      {
        id: readyStepId(service),
        kind: "candidates.ready",
        args: {
          namespace,
          ids: own.map(({ id }) => id),
          machines: [...new Set(followers.map(({ machine }) => machine))].sort(),
        },
        title: `serve the new ${service} by name to what comes after it`,
        needs: gates.all(own.map(lastStep)),
      },
    ];
  });
}

/** The last look before the commit: an instance that was ready first may have ended while others became ready. */
export function verifyStep(candidates: readonly Candidate[], gates: Gates): readonly Step[] {
  const services = candidates.filter(({ kind }) => kind === "service");
  if (services.length === 0 || candidates.length === 1) return [];
  return [
    {
      id: "verify candidates",
      kind: "verify",
      args: { instances: services.map(({ machine, id }) => ({ machine, id })) },
      title: `all ${services.length} new instances still run`,
      needs: gates.all(candidates.map(lastStep)),
    },
  ];
}

export const withdrawStep = (namespace: string, expected: number, needs: readonly string[]): Step => ({
  id: "withdraw candidates",
  kind: "candidates.withdraw",
  args: { namespace, expected },
  title: "end the announcement of candidates",
  needs,
});
