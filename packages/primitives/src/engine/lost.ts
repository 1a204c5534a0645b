import type { ErrorBody } from "@ployz/errors";
import type { PlannedStep } from "../model/plan.ts";
import type { FactStore } from "../ports/store.ts";
import type { Session } from "./session.ts";

/**
 * Whether a step that failed is not owed: its machine is no member any more, or the operator has given the step up. Its remains
 * become a warning of the operation.
 */
export async function isLost(
  { ports, givenUp, lost }: Session,
  step: PlannedStep,
  error: ErrorBody,
): Promise<boolean> {
  const machine = error.machine ?? step.machine;
  const gone = machine !== undefined && (await isRemoved(ports.store.facts, machine));
  if (!gone && !givenUp.has(step.id)) return false;
  const why = gone
    ? `${machine} was removed from the cluster`
    : `it was given up, and what it made may still be there: ${error.message}`;
  lost.push(`"${step.title}" is not cleaned up: ${why}`);
  return true;
}

async function isRemoved(facts: FactStore, machine: string): Promise<boolean> {
  try {
    if ((await facts.get(`removed.${machine}`)) === undefined) return false;
    const member = await facts.get(`machine.${machine}`);
    return member === undefined || member.value.state === "removed";
  } catch {
    return false; // asked again at the next chance
  }
}
