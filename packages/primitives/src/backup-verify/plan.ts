import type { ErrorBody } from "@ployz/errors";
import { noBackup, problemOf } from "../backups/find.ts";
import { liveHead, noNamespace } from "../change/decide/as-it-is.ts";
import { hostsOf, mib, needsOf, noFit, place } from "../change/decide/place.ts";
import { unknownMachine } from "../change/decide/refuse.ts";
import { secretScope } from "../change/decide/secrets.ts";
import { volumeSpecOf } from "../change/input.ts";
import type { Candidate } from "../change/plan/candidate.ts";
import type { ChangeKinds } from "../change/steps/kinds.ts";
import type { Plan, PlannedStep, Refusal, Refusals } from "../engine/types.ts";
import { missing, prepareSteps, settleSteps } from "../job-run/plan.ts";
import type { JobKinds } from "../job-run/steps.ts";
import { instanceRevision } from "../manifest/revision.ts";
import type { Commit } from "../model/commit.ts";
import { instanceId, volumeId } from "../model/ids.ts";
import { own } from "../model/own.ts";
import { unknownName } from "../model/unknown-name.ts";
import type { InstanceVolume } from "../participant/commands.ts";
import type { BackupVerifyInput } from "./input.ts";
import type { Facts, Found, Source } from "./observe.ts";

export type Kinds = JobKinds &
  Pick<
    ChangeKinds,
    "volume.ensure" | "backup.restore" | "backup.compare" | "backup.check" | "volume.discard"
  >;
type Step = PlannedStep<Kinds>;
type Ready = Exclude<Found, { readonly refusal: Refusal }>;

export type VerifySummary = {
  readonly kind: "backup-verify";
  readonly namespace: string;
  readonly repository: string;
  readonly machine: string;
  readonly volumes: readonly { readonly name: string; readonly backup: string; readonly at: string }[];
  readonly job?: string;
  readonly allData?: true;
};

export const compareId = (volume: string): string => `compare ${volume}`;

/** Restores backups into volumes that no commit names, compares them, runs the operator's check on them, and destroys them. Pure. */
export function plan(
  input: BackupVerifyInput,
  facts: Facts,
  operation: string,
): Plan<Kinds, VerifySummary> | Refusals {
  const { namespace } = input;
  const { found } = facts;
  const head = liveHead(facts.head);
  if (head === undefined) return { refusals: [noNamespace(namespace, facts)] };
  if ("refusal" in found) return { refusals: [found.refusal] };
  const refusals: ErrorBody[] = [...refuse(input, found, facts)];
  const { repository, sources, to } = found;
  const { machine } = to;
  const candidate =
    input.job === undefined ? undefined : jobOf(input.job, facts, head.commit, found, operation);
  if (candidate !== undefined && "refusals" in candidate) refusals.push(...candidate.refusals);
  if (refusals.length > 0 || (candidate !== undefined && "refusals" in candidate)) return { refusals };
  const restores = sources.map((source, index) =>
    restoreSteps(source, { machine, namespace, repository, operation, before: sources[index - 1] }),
  );
  const compared = sources.map(({ backup }) => compareId(backup.volume));
  const check: readonly Step[] =
    input.allData === true
      ? [
          {
            ...{ id: "check", kind: "backup.check", machine, args: { machine, repository } },
            ...{ title: `read all of ${repository.name}, by ${machine}`, needs: [] },
          },
        ]
      : [];
  const job: readonly Step[] =
    candidate === undefined
      ? []
      : prepareSteps(candidate, namespace, facts).map((step) =>
          step.kind === "start" ? { ...step, needs: [...step.needs, ...compared] } : step,
        );
  const ended = candidate === undefined ? [] : settleSteps(candidate, namespace);
  return {
    basis: [],
    prepare: [...check, ...restores.flat(), ...job],
    settle: [
      ...ended,
      ...sources.map(({ backup: { volume } }): Step => {
        const id = volumeId(namespace, volume, operation);
        return {
          ...{ id: `discard ${volume}`, kind: "volume.discard", machine, args: { machine, id } },
          title: `destroy the restored ${volume} on ${machine}`,
          needs: ended.flatMap(({ id: step, kind }) => (kind === "remove" ? [step] : [])),
        };
      }),
    ],
    summary: {
      ...{ kind: "backup-verify", namespace, repository: repository.name, machine },
      volumes: sources.map(({ backup: { id: backup, volume: name, at } }) => ({ name, backup, at })),
      ...(input.job !== undefined && { job: input.job }),
      ...(input.allData === true && { allData: true }),
    },
    changes: true,
    warnings: [],
  };
}

function refuse(input: BackupVerifyInput, found: Ready, facts: Facts): readonly Refusal[] {
  const { namespace, volume, backup } = input;
  const { repository, sources, none, to } = found;
  const unknown = input.machine === undefined ? undefined : unknownMachine("machine", input.machine, facts);
  if (unknown !== undefined) return [unknown];
  if (backup !== undefined && sources.length !== 1) return [noBackup(backup, repository)];
  const what = volume === undefined ? namespace : `${namespace}/${volume}`;
  const hint = `make one: ployzctl backup run ${namespace}`;
  if (none.length > 0 || sources.length === 0)
    return [
      {
        code: "no_such_backup",
        message: `the repository ${repository.name} has no backup of ${none.map((name) => `${namespace}/${name}`).join(", ") || what}`,
        hint,
      },
    ];
  const problem = problemOf(to, repository);
  if (problem !== undefined) return [problem];
  const storage = facts.machines.find(({ record }) => record.id === to.machine)?.observation?.storage;
  if (storage === undefined)
    return [
      {
        code: "no_storage",
        message: `machine ${to.machine} has no ZFS for volumes`,
        hint: "choose another one: --to",
        machine: to.machine,
      },
    ];
  const bytes = sources.reduce((sum, { content }) => sum + content.bytes, 0);
  if (bytes <= storage.availableBytes) return [];
  return [
    {
      code: "no_space",
      message: `${mib(storage.availableBytes)} MiB of the pool of ${to.machine} are free, and ${mib(bytes)} MiB would be restored there`,
      hint: "choose another machine with --to, or verify one volume at a time",
      machine: to.machine,
    },
  ];
}

/** The job as one instance beside the restored volumes, on their machine. */
function jobOf(
  job: string,
  facts: Facts,
  commit: Commit,
  { sources, to: { machine } }: Ready,
  operation: string,
): Candidate | Refusals {
  const spec = own(commit.jobs, job)?.spec;
  const { namespace, jobs } = commit;
  if (spec === undefined) return { refusals: [unknownName("job", job, Object.keys(jobs), namespace)] };
  const scope = secretScope(commit, facts);
  const hosts = hostsOf(facts.machines).filter(({ id }) => id === machine);
  const placed = place(needsOf(spec), [{ slot: 1 }], [], hosts);
  const refusals: readonly Refusal[] = [
    ...(placed.ok ? [] : [noFit(`jobs.${job}`, 1, placed)]),
    ...scope.refuse(`jobs.${job}`, spec),
    ...missing(job, spec, facts),
  ];
  if (refusals.length > 0) return { refusals };
  return {
    ...{ kind: "job", id: instanceId(namespace, job, 1, operation), name: job, slot: 1, machine, spec },
    ...{ revision: instanceRevision(spec), operation, secrets: scope.of(spec) },
    volumes: Object.fromEntries(
      sources.map((source) => [source.backup.volume, mountOf(source, commit, operation)]),
    ),
  };
}

/** Where the service has it. */
function mountOf(
  { backup: { namespace, volume } }: Source,
  { services }: Commit,
  operation: string,
): InstanceVolume {
  const paths = Object.values(services).flatMap(({ spec }) => own(spec.volumes, volume) ?? []);
  return { id: volumeId(namespace, volume, operation), target: paths[0] ?? `/${volume}`, scope: "single" };
}

function restoreSteps(
  { backup, content }: Source,
  {
    machine,
    namespace,
    repository,
    operation,
    before,
  }: Pick<Ready, "repository"> & {
    readonly machine: string;
    readonly namespace: string;
    readonly operation: string;
    readonly before: Source | undefined;
  },
): readonly Step[] {
  const { volume: name } = backup;
  const id = volumeId(namespace, name, operation);
  const { recordsizeBytes } = content.spec;
  const args = { machine, id, repository, backup: backup.id };
  return [
    {
      ...{ id: `volume ${name}`, kind: "volume.ensure", machine },
      // Without its quota: nothing is promised to it.
      args: {
        machine,
        id,
        namespace,
        name,
        spec: volumeSpecOf({ ...(recordsizeBytes && { recordsizeBytes }) }),
      },
      title: `create a volume for ${name} on ${machine}`,
      needs: before === undefined ? [] : [compareId(before.backup.volume)],
    },
    {
      ...{ id: `restore ${name}`, kind: "backup.restore", machine, needs: [`volume ${name}`] },
      args: { ...args, fresh: true },
      title: `restore the backup ${backup.id.slice(0, 8)} of ${name} on ${machine}`,
    },
    {
      ...{ id: compareId(name), kind: "backup.compare", machine, args, needs: [`restore ${name}`] },
      title: `compare it with what the backup lists`,
    },
  ];
}
