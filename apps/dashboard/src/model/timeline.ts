import type { OperationDetail, OperationEvent } from "@ployz/primitives/client";

type Step = OperationDetail["steps"][number];

export interface TimelineStep extends Omit<Step, "state"> {
  readonly state: Step["state"] | "undoing";
  /** Titles of the steps that it waits for. */
  readonly waitsFor: readonly string[];
  /** Of the step that runs: the newest note, and how far it is, 0 to 1. */
  readonly note?: string;
  readonly share?: number;
}

export interface Timeline {
  readonly steps: readonly TimelineStep[];
  /** The operation waits for a lease, or another operation. */
  readonly waiting: string | undefined;
}

/** The steps of an operation as they stand. Pure. */
export function timelineOf(detail: OperationDetail, events: readonly OperationEvent[]): Timeline {
  const live = new Map<string, OperationEvent & { type: "step" }>();
  const notes = new Map<string, { note: string; share: number | undefined }>();
  let waiting: string | undefined;
  for (const event of events) {
    waiting = event.type === "waiting" ? event.what : undefined;
    if (event.type === "step") live.set(event.step, event);
    if (event.type === "progress") {
      const { note, done, total } = event;
      notes.set(event.step, {
        note,
        share: total && done !== undefined ? Math.min(1, done / total) : undefined,
      });
    }
  }
  const needs = new Map(
    [...(detail.plan?.prepare ?? []), ...(detail.plan?.settle ?? [])].map((step) => [step.id, step.needs]),
  );
  const states = new Map(detail.steps.map(({ id, state }) => [id, live.get(id)?.state ?? state] as const));
  const titles = new Map(detail.steps.map(({ id, title }) => [id, title]));
  const steps = detail.steps.map((step): TimelineStep => {
    const now = live.get(step.id);
    const state = now?.state ?? step.state;
    const error = now?.error ?? step.error;
    const ms = now?.ms ?? step.ms;
    const open = (needs.get(step.id) ?? []).filter((id) => states.get(id) !== "done");
    const { note, share } = notes.get(step.id) ?? {};
    return {
      ...{ id: step.id, title: step.title, phase: step.phase, state },
      ...(step.machine !== undefined && { machine: step.machine }),
      ...(ms !== undefined && { ms }),
      ...(error !== undefined && { error }),
      waitsFor: state === "pending" ? open.map((id) => titles.get(id) ?? id) : [],
      ...(state === "started" && note !== undefined && { note }),
      ...(state === "started" && share !== undefined && { share }),
    };
  });
  return { steps, waiting };
}

/** How many steps each machine has, and how far it is. Pure. */
export function lanesOf(
  steps: readonly TimelineStep[],
): readonly { machine: string; steps: readonly TimelineStep[] }[] {
  const machines = [...new Set(steps.map(({ machine }) => machine ?? "coordinator"))].sort((a, b) =>
    a.localeCompare(b, "en", { numeric: true }),
  );
  return machines.map((machine) => ({
    machine,
    steps: steps.filter((step) => (step.machine ?? "coordinator") === machine),
  }));
}
