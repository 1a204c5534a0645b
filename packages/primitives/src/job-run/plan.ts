import { liveHead, noNamespace } from "../change/decide/as-it-is.ts";
import { hostsOf, needsOf, noFit, place } from "../change/decide/place.ts";
import { noMachines } from "../change/decide/refuse.ts";
import { secretScope } from "../change/decide/secrets.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { missingBundle, missingImage } from "../change/observe/missing.ts";
import { ensureSteps } from "../change/plan/before-commit.ts";
import { type Candidate, lastBefore, lastStep } from "../change/plan/candidate.ts";
import { startArgs } from "../change/plan/start.ts";
import type { Plan, PlannedStep, Refusal, Refusals } from "../engine/types.ts";
import { instanceRevision } from "../manifest/revision.ts";
import type { JobSpec } from "../model/commit.ts";
import { instanceId } from "../model/ids.ts";
import { own } from "../model/own.ts";
import { unknownName } from "../model/unknown-name.ts";
import type { JobRunInput } from "./input.ts";
import type { RunFacts } from "./record.ts";
import type { JobKinds } from "./steps.ts";

type Step = PlannedStep<JobKinds>;

/** One instance of a committed job, on the machine that fits best; it leaves the namespace's commit as it is. Pure. */
export function plan(input: JobRunInput, facts: RunFacts, operation: string): Plan<JobKinds> | Refusals {
  const { namespace, job } = input;
  const head = liveHead(facts.head);
  if (head === undefined) return { refusals: [noNamespace(namespace, facts)] };
  const { jobs } = head.commit;
  const spec = own(jobs, job)?.spec;
  if (spec === undefined) return { refusals: [unknownName("job", job, Object.keys(jobs), namespace)] };
  if (facts.machines.length === 0) return { refusals: [noMachines] };
  const hosts = hostsOf(facts.machines);
  for (const { machine } of [head, ...facts.others].flatMap(({ commit }) => commit.instances)) {
    const host = hosts.find(({ id }) => id === machine);
    if (host !== undefined) host.instances += 1;
  }
  const placed = place(needsOf(spec), [{ slot: 1 }], [], hosts);
  const scope = secretScope(head.commit, facts);
  const refusals: Refusal[] = [
    ...(placed.ok ? [] : [noFit(`jobs.${job}`, 1, placed)]),
    ...scope.refuse(`jobs.${job}`, spec),
    ...missing(job, spec, facts),
  ];
  const machine = placed.ok ? (placed.machines.get(1) ?? "") : "";
  if (refusals.length > 0) return { refusals };
  const candidate: Candidate = {
    ...{ kind: "job", id: instanceId(namespace, job, 1, operation), name: job, slot: 1, machine, spec },
    ...{ revision: instanceRevision(spec), operation, volumes: {}, secrets: scope.of(spec) },
  };
  return {
    basis: [],
    prepare: prepareSteps(candidate, namespace, facts),
    settle: settleSteps(candidate, namespace),
    summary: {
      kind: "job-run",
      namespace,
      job,
      machine,
      ...(input.tick !== undefined && { tick: input.tick }),
    },
    changes: true,
    warnings: [],
  };
}

/** Why a job cannot start: its content is nowhere. */
export function missing(
  job: string,
  { image, bundle }: JobSpec,
  { content }: Pick<ChangeFacts, "content">,
): readonly Refusal[] {
  const found = content.get(image?.digest ?? bundle?.digest ?? "");
  if (found !== undefined && found.holders.length > 0) return [];
  return [
    image
      ? missingImage(`jobs.${job}.image`, image.ref, found)
      : missingBundle(`jobs.${job}.bundle`, bundle?.digest ?? ""),
  ];
}

/** Runs one instance of a job to its end. */
export function prepareSteps(candidate: Candidate, namespace: string, facts: ChangeFacts): readonly Step[] {
  const { id, name, machine, slot, spec, secrets } = candidate;
  const ensure = ensureSteps([candidate], facts).flatMap((step): Step[] =>
    step.kind === "image.ensure" || step.kind === "bundle.ensure" ? [step] : [],
  );
  const reserve = `reserve ${name}.${slot}@${machine}`;
  const last = lastBefore(candidate);
  const start = `start ${name}.${slot}@${machine}`;
  const neighbours = facts.head?.commit.instances.map((instance) => instance.machine) ?? [];
  const answering = facts.machines.flatMap(({ record, observation }) => (observation ? [record.id] : []));
  return [
    ...ensure,
    {
      ...{ id: reserve, kind: "reserve", machine, title: `reserve an address for ${name} on ${machine}` },
      args: {
        ...{ machine, id },
        ...(spec.resources?.memoryBytes !== undefined && { memoryBytes: spec.resources.memoryBytes }),
      },
      needs: ensure.map((step) => step.id),
    },
    ...(last === reserve
      ? []
      : [
          {
            ...({ id: last, kind: "secrets", machine, title: `secrets of ${name} on ${machine}` } as const),
            args: { machine, id, secrets },
            needs: [reserve],
          },
        ]),
    {
      ...{ id: "announce", kind: "running.announce", title: `make ${name} known to packet filters and DNS` },
      args: {
        ...{ namespace, job: name, reserve },
        instance: { id, service: name, slot, machine, ports: {} },
        machines: answering.filter((one) => one === machine || neighbours.includes(one)),
      },
      needs: [reserve],
    },
    {
      ...{ id: start, kind: "start", machine, title: `start ${name} on ${machine}` },
      args: { machine, reserve, instance: startArgs(candidate, namespace, true) },
      needs: [reserve, last, "announce"].filter((step, index, all) => all.indexOf(step) === index),
    },
    {
      ...{ id: lastStep(candidate), kind: "wait", machine, title: `job ${name} on ${machine}` },
      args: { machine, id, timeoutMs: candidate.kind === "job" ? candidate.spec.timeoutMs : 0 },
      needs: [start],
    },
  ];
}

/** Removes the instance that has ended. */
export const settleSteps = ({ id, name, machine }: Candidate, namespace: string): readonly Step[] => [
  {
    ...{ id: `remove ${id}`, kind: "remove", machine, title: `remove ${id} on ${machine}` },
    args: { machine, id },
    needs: [],
  },
  {
    ...{ id: "withdraw", kind: "running.withdraw", title: `end the announcement of ${name}` },
    args: { namespace, job: name },
    needs: [`remove ${id}`],
  },
];
