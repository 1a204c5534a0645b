import { liveHead, noNamespace, noService } from "../change/decide/as-it-is.ts";
import { DEFAULT_HOLD_MS } from "../change/decide/desired.ts";
import { secretScope } from "../change/decide/secrets.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { missingBundle, missingImage } from "../change/observe/missing.ts";
import type { Candidate } from "../change/plan/candidate.ts";
import type { Plan, PlannedStep, Refusal, Refusals } from "../engine/types.ts";
import { prepareSteps, settleSteps } from "../job-run/plan.ts";
import type { RunFacts } from "../job-run/record.ts";
import { instanceRevision } from "../manifest/revision.ts";
import { formatDuration } from "../manifest/units.ts";
import type { Commit, Instance, JobSpec, ServiceSpec, Volume } from "../model/commit.ts";
import { SESSIONS } from "../model/features.ts";
import { operationTail } from "../model/ids.ts";
import { own } from "../model/own.ts";
import { DEFAULT_LIMIT_MS, type VolumeRunInput } from "./input.ts";
import type { VolumeRunKinds } from "./steps.ts";

type Step = PlannedStep<VolumeRunKinds>;

/** One instance beside the namespace's commit, and around it the stop and the start of those that write to its volumes. Pure. */
export function plan(
  input: VolumeRunInput,
  facts: RunFacts,
  operation: string,
): Plan<VolumeRunKinds> | Refusals {
  const { namespace, service, volumesOf } = input;
  const head = liveHead(facts.head);
  if (head === undefined) return { refusals: [noNamespace(namespace, facts)] };
  const { commit } = head;
  const known = Object.keys(commit.services);
  const [spec, owner] = [own(commit.services, service)?.spec, own(commit.services, volumesOf)?.spec];
  if (spec === undefined || owner === undefined)
    return { refusals: [noService(namespace, spec === undefined ? service : volumesOf, known)] };
  const volumes = volumesIn(commit, owner);
  const [first] = volumes;
  if (first === undefined) return { refusals: [noVolumes(namespace, volumesOf)] };
  const { machine } = first;
  const stopping = input.stop === true ? commit.instances.filter((one) => one.service === volumesOf) : [];
  const scope = secretScope(commit, facts);
  const refusals = [
    ...writers(commit, volumes, stopping, input),
    ...unfit(machine, facts, input),
    ...scope.refuse(`services.${service}`, spec),
    ...missing(`services.${service}`, spec, facts),
  ];
  if (refusals.length > 0) return { refusals };
  const job = jobOf(spec, input);
  const candidate: Candidate = {
    ...{
      kind: "job",
      id: `${namespace}.${service}.once.${operationTail(operation)}`,
      name: service,
      slot: 1,
    },
    ...{ machine, spec: job, revision: instanceRevision(job), operation, secrets: scope.of(job) },
    volumes: Object.fromEntries(
      volumes.map(({ name, id, spec: { scope: shared } }) => [
        name,
        { id, target: owner.volumes[name] ?? "", scope: shared },
      ]),
    ),
  };
  const gateways = facts.machines.flatMap(({ record, observation }) => (observation ? [record.id] : []));
  const routed = stopping.length > 0 && owner.routes.length > 0;
  return {
    basis: [{ key: `commit.${namespace}`, revision: head.revision }],
    prepare: around(prepareSteps(candidate, namespace, facts), candidate, {
      ...{ namespace, owner, stopping, volumesOf, interactive: input.interactive === true },
      gateways: routed ? gateways : [],
    }),
    settle: settleSteps(candidate, namespace).flatMap((step): Step[] =>
      step.kind === "running.withdraw" ? [{ ...step, needs: [] }] : [],
    ),
    summary: {
      ...{ kind: "volume-run", namespace, service, volumesOf, machine, instance: candidate.id },
      volumes: volumes.map(({ name }) => name),
      stops: stopping.map(({ id }) => id),
      limitMs: job.timeoutMs,
    },
    changes: true,
    warnings: routed
      ? [
          `requests to ${namespace}/${volumesOf} wait at the gateways for at most ${formatDuration(DEFAULT_HOLD_MS)}; after that they fail until it runs again`,
        ]
      : [],
  };
}

const volumesIn = ({ volumes }: Commit, owner: ServiceSpec): readonly Volume[] =>
  volumes.filter(({ name }) => Object.hasOwn(owner.volumes, name));

const jobOf = (
  spec: ServiceSpec,
  { argv, interactive, limitMs = DEFAULT_LIMIT_MS }: VolumeRunInput,
): JobSpec => ({
  ...spec,
  timeoutMs: limitMs,
  ...(argv !== undefined && interactive !== true && { entrypoint: argv, command: [] }),
});

/** Its content is nowhere. */
function missing(at: string, { image, bundle }: ServiceSpec, { content }: ChangeFacts): readonly Refusal[] {
  const found = content.get(image?.digest ?? bundle?.digest ?? "");
  if (found !== undefined && found.holders.length > 0) return [];
  return [
    image
      ? missingImage(`${at}.image`, image.ref, found)
      : missingBundle(`${at}.bundle`, bundle?.digest ?? ""),
  ];
}

const noVolumes = (namespace: string, service: string): Refusal => ({
  code: "no_such_volume",
  message: `${namespace}/${service} has no volumes`,
  hint: `run it without them: ployzctl run ${namespace}/${service} -- …`,
});

/** What would write beside the run. */
function writers(
  { namespace, instances }: Commit,
  volumes: readonly Volume[],
  stopping: readonly Instance[],
  { volumesOf }: VolumeRunInput,
): readonly Refusal[] {
  return volumes
    .filter(({ spec }) => spec.scope === "single")
    .flatMap(({ id, name }): Refusal[] => {
      const user = instances.find(
        (one) => Object.values(one.volumes ?? {}).includes(id) && !stopping.includes(one),
      );
      if (user === undefined) return [];
      return [
        {
          code: "volume_in_use",
          message: `${namespace}/${user.service} uses the volume ${name}, which has a single writer`,
          hint:
            user.service === volumesOf
              ? `--stop stops it meanwhile; beside it: ployzctl exec ${namespace}/${user.service} -- …`
              : `stop it first: ployzctl stop ${namespace}/${user.service}`,
        },
      ];
    });
}

function unfit(
  machine: string,
  { machines }: ChangeFacts,
  { interactive }: VolumeRunInput,
): readonly Refusal[] {
  const found = machines.find(({ record }) => record.id === machine);
  if (found?.observation === undefined)
    return [
      {
        code: "machine_unreachable",
        message: `machine ${machine}, which has the volumes, does not answer`,
        hint: `check ${machine}: ployzctl machine ls`,
        machine,
      },
    ];
  if (interactive === true && found.observation.features?.includes(SESSIONS) !== true)
    return [
      {
        code: "machine_outdated",
        message: `machine ${machine}, which has the volumes, has no interactive runs: the version of Ployz there is too old`,
        hint: `update it first: ployzctl machine update ${machine}`,
        machine,
      },
    ];
  if (found.record.state === "active") return [];
  return [
    {
      code: "machine_draining",
      message: `machine ${machine}, which has the volumes, receives no workloads: it is ${found.record.state}`,
      hint: `ployzctl machine activate ${machine}`,
      machine,
    },
  ];
}

/** Everything is prepared before the outage begins, and the service is back before the operation ends. */
function around(
  job: ReturnType<typeof prepareSteps>,
  { id, machine, name }: Candidate,
  of: {
    readonly namespace: string;
    readonly owner: ServiceSpec;
    readonly volumesOf: string;
    readonly stopping: readonly Instance[];
    readonly interactive: boolean;
    /** None: there is nothing to hold. */
    readonly gateways: readonly string[];
  },
): readonly Step[] {
  const { namespace, owner, volumesOf, stopping, interactive, gateways } = of;
  const session = interactive && { interactive };
  const hold = { machines: gateways, namespace, service: volumesOf, ms: DEFAULT_HOLD_MS };
  const before = job.filter(({ kind }) => kind !== "start" && kind !== "wait").map((step) => step.id);
  const held = gateways.length > 0 ? [`hold ${volumesOf}`] : [];
  const stops = stopping.map(
    (one): Step => ({
      ...{ id: `stop ${one.id}`, kind: "stop", machine: one.machine },
      title: `stop ${one.id} on ${one.machine}`,
      args: { machine: one.machine, id: one.id, graceMs: owner.stopGraceMs },
      needs: held.length > 0 ? held : before,
    }),
  );
  const ran = job.filter(({ kind }) => kind === "wait").map((step) => step.id);
  const remove = `remove ${id}`;
  const resumes = stopping.map(
    (one): Step => ({
      ...{ id: `resume ${one.id}`, kind: "resume", machine: one.machine },
      title: `start ${one.id} again on ${one.machine}`,
      args: {
        ...{ machine: one.machine, id: one.id, address: one.address, ports: one.ports },
        ready: owner.ready ?? { kind: "running", settleMs: 0, timeoutMs: 15_000 },
      },
      needs: [remove],
    }),
  );
  return [
    ...job.filter(({ kind }) => kind !== "start" && kind !== "wait"),
    ...held.map(
      (step): Step => ({
        ...{ id: step, kind: "gateway.hold", args: hold, needs: before },
        title: `hold requests for ${volumesOf} at the gateways`,
      }),
    ),
    ...stops,
    ...job.flatMap((step): Step[] => {
      if (step.kind === "start")
        return [
          {
            ...step,
            args: { ...step.args, instance: { ...step.args.instance, ...session } },
            needs: [...step.needs, ...stops.map((stop) => stop.id)],
          },
        ];
      return step.kind === "wait"
        ? [{ ...step, title: `run ${name} on ${machine}`, args: { ...step.args, ...session } }]
        : [];
    }),
    {
      ...{ id: remove, kind: "remove", machine, title: `remove ${id} on ${machine}` },
      ...{ args: { machine, id }, needs: ran },
    },
    ...resumes,
    ...held.map(
      (): Step => ({
        ...{ id: `release ${volumesOf}`, kind: "gateway.release", args: hold },
        title: `send requests to ${volumesOf} again`,
        needs: resumes.map((step) => step.id),
      }),
    ),
  ];
}
