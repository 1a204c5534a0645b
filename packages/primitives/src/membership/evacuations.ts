import type { ErrorBody } from "@ployz/errors";
import type { ChangeFacts, MachineFact } from "../change/observe/facts.ts";
import { planChange } from "../change/plan/plan.ts";
import type { ChangeSummary } from "../change/plan/summary.ts";
import type { PlannedStep, Refusals } from "../engine/types.ts";
import type { EvacuateInput } from "../evacuate/input.ts";
import { wishEvacuated } from "../evacuate/wish.ts";
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

/** Evacuations of a machine. */
export type Evacuations = {
  /** One after the other: each finds the machines as the one before has left them. */
  readonly steps: readonly PlannedStep<SharedKinds>[];
  readonly namespaces: readonly EvacuationSummary[];
  readonly warnings: readonly string[];
};

/**
 * One evacuation for each namespace that has something on the machine, one after the other: what one takes, the next does not find.
 * `after`: the steps that the first one needs. Pure.
 */
export function planEvacuations(
  {
    machine,
    loss,
    after,
  }: {
    readonly machine: string;
    readonly loss?: { readonly lose: readonly string[]; readonly fromStandby?: boolean } | undefined;
    readonly after: readonly string[];
  },
  facts: MembershipFacts,
  operation: string,
): Evacuations | Refusals {
  const refusals: ErrorBody[] = [];
  const steps: PlannedStep<SharedKinds>[] = [];
  const namespaces: EvacuationSummary[] = [];
  const warnings = new Set<string>();
  let machines = facts.cluster.machines.map((fact) =>
    loss && fact.record.id === machine && fact.observation === undefined
      ? { ...fact, lost: true as const }
      : fact,
  );
  for (const head of facts.heads) {
    const { namespace } = head.commit;
    if (!isOn(head.commit, machine)) continue;
    const lose = (loss?.lose ?? []).flatMap((one) => {
      const [of, volume] = one.split("/");
      return of === namespace && volume !== undefined ? [volume] : [];
    });
    const input: EvacuateInput = {
      ...{ namespace, machine },
      ...(loss && { lost: true, lose }),
      ...(loss?.fromStandby && { fromStandby: true }),
    };
    const others = facts.heads.filter((other) => other !== head);
    const seen: ChangeFacts = { ...facts.cluster, head, others, machines };
    const plan = planChange("evacuate", wishEvacuated(input, seen), seen, operation);
    if ("refusals" in plan) {
      refusals.push(
        ...plan.refusals.map((refusal) => ({ ...refusal, message: `${namespace}: ${refusal.message}` })),
      );
      continue;
    }
    const { summary } = plan;
    machines = machines.map((fact) => taken(fact, summary));
    namespaces.push(summaryOf(machine, summary));
    for (const warning of plan.warnings) warnings.add(warning);
    steps.push({
      id: `evacuate ${namespace}`,
      kind: "evacuate",
      args: input,
      title: `move ${namespace} off ${machine}`,
      needs: steps.length === 0 ? after : steps.slice(-1).map(({ id }) => id),
    });
  }
  return refusals.length > 0 ? { refusals } : { steps, namespaces, warnings: [...warnings] };
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
      if ((action !== "move" && action !== "takeover") || from !== machine) return [];
      return [{ name, to, ...(bytes !== undefined && { bytes }) }];
    }),
    suspended: Object.entries(next.services).flatMap(([name, { suspended }]) => (suspended ? [name] : [])),
  };
}

/** The machine after the evacuation's arrivals. */
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
