import { refuseChange } from "../change/decide/refuse.ts";
import type { ChangeFacts, MachineFact } from "../change/observe/facts.ts";
import { planChange } from "../change/plan/plan.ts";
import type { ChangeSummary } from "../change/plan/summary.ts";
import type { PlannedStep, Refusal } from "../engine/types.ts";
import { type EvacuateInput, wishEvacuated } from "../evacuate/wish.ts";
import { isOn, type MembershipFacts } from "./observe.ts";
import type { SharedKinds } from "./steps.ts";

/** What becomes of one namespace that has something on the machine: part of the plan's summary. */
export type EvacuationSummary = {
  readonly namespace: string;
  /** `to` is absent for one that ends: its service runs on every machine, or is suspended. */
  readonly instances: readonly { readonly service: string; readonly slot: number; readonly to?: string }[];
  /** `to` is absent for one that is lost. */
  readonly volumes: readonly { readonly name: string; readonly to?: string; readonly bytes?: number }[];
  /** Services that stay committed without an instance, because their data is lost. */
  readonly suspended: readonly string[];
};

export type Evacuation = {
  readonly input: EvacuateInput;
  readonly refusals: readonly Refusal[];
  /** Absent when it is refused. */
  readonly summary?: EvacuationSummary;
  readonly warnings: readonly string[];
};

/** One evacuation for each namespace that has something on the machine, one after the other: what one takes, the next does not find. Pure. */
export function planEvacuations(
  machine: string,
  loss: { readonly lose: readonly string[] } | undefined,
  facts: MembershipFacts,
  operation: string,
): readonly Evacuation[] {
  let machines = facts.cluster.machines.map((fact) =>
    loss && fact.record.id === machine && fact.observation === undefined
      ? { ...fact, lost: true as const }
      : fact,
  );
  return facts.heads.flatMap((head): Evacuation[] => {
    const { namespace } = head.commit;
    if (!isOn(head.commit, machine)) return [];
    const lose = (loss?.lose ?? []).flatMap((one) => {
      const [of, volume] = one.split("/");
      return of === namespace && volume !== undefined ? [volume] : [];
    });
    const input: EvacuateInput = { namespace, machine, ...(loss && { lost: true, lose }) };
    const others = facts.heads.filter((other) => other !== head);
    const seen: ChangeFacts = { ...facts.cluster, head, others, machines };
    const wish = wishEvacuated(input, seen);
    const refusals = refuseChange(wish, seen).map((refusal) => ({
      ...refusal,
      message: `${namespace}: ${refusal.message}`,
    }));
    if (refusals.length > 0) return [{ input, refusals, warnings: [] }];
    const plan = planChange("evacuate", wish, seen, operation);
    const told = plan.summary as unknown as ChangeSummary;
    machines = machines.map((fact) => taken(fact, told));
    return [{ input, refusals, summary: summaryOf(machine, told), warnings: plan.warnings }];
  });
}

function summaryOf(
  machine: string,
  { namespace, services, volumes, next }: ChangeSummary,
): EvacuationSummary {
  return {
    namespace,
    instances: services.flatMap(({ name, instances }) =>
      instances
        .filter((one) => one.action === "stop" && one.machine === machine)
        .map(({ slot }) => {
          const to = instances.find((one) => one.action === "start" && one.slot === slot)?.machine;
          return { service: name, slot, ...(to !== undefined && { to }) };
        }),
    ),
    volumes: volumes.flatMap(({ name, action, machine: to, from, transferBytes: bytes }) => {
      if (action === "lost") return [{ name }];
      if (action !== "move" || from !== machine) return [];
      return [{ name, to, ...(bytes !== undefined && { bytes }) }];
    }),
    suspended: Object.entries(next.services).flatMap(([name, { suspended }]) => (suspended ? [name] : [])),
  };
}

/** The machine once what the evacuation brings is there. */
function taken(fact: MachineFact, { services, volumes, next }: ChangeSummary): MachineFact {
  const { observation, record } = fact;
  if (observation === undefined) return fact;
  const memory = services.flatMap(({ name, instances }) =>
    instances
      .filter((one) => one.action === "start" && one.machine === record.id)
      .map(() => next.services[name]?.spec.resources?.memoryBytes ?? 0),
  );
  const moved = volumes.filter(({ action, machine }) => action === "move" && machine === record.id);
  const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);
  const { storage } = observation;
  return {
    ...fact,
    observation: {
      ...observation,
      memoryFreeBytes: observation.memoryFreeBytes - sum(memory),
      ...(storage && {
        storage: {
          ...storage,
          promisedBytes: storage.promisedBytes + sum(moved.map(({ spec }) => spec.quotaBytes ?? 0)),
          availableBytes: storage.availableBytes - sum(moved.map(({ transferBytes = 0 }) => transferBytes)),
        },
      }),
    },
  };
}

/** One after the other: each finds the machines as the one before has left them. */
export function evacuationSteps(
  evacuations: readonly Evacuation[],
  first: readonly string[],
): readonly PlannedStep<SharedKinds>[] {
  return evacuations.map(({ input }, index) => {
    const before = evacuations[index - 1];
    return {
      id: stepId(input),
      kind: "evacuate",
      args: input,
      title: `move ${input.namespace} off ${input.machine}`,
      needs: before === undefined ? first : [stepId(before.input)],
    };
  });
}

const stepId = ({ namespace }: EvacuateInput): string => `evacuate ${namespace}`;
