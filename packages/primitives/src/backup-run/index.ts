import { type FoundBackups, listBackups } from "../backups/list.ts";
import {
  absent,
  chooseRepository,
  type Look,
  look,
  lookProblem,
  repositoriesOf,
  repositoryAt,
} from "../backups/observe.ts";
import { liveHead, noNamespace, noVolume } from "../change/decide/as-it-is.ts";
import { inputParser } from "../change/input.ts";
import { observeCluster } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { steps } from "../change/steps/instances.ts";
import type { ChangeKinds } from "../change/steps/kinds.ts";
import { snapshotName } from "../change/steps/volumes.ts";
import type { Plan, PlannedStep, Primitive, PrimitivePorts, Refusal } from "../engine/types.ts";
import {
  type BackupRepository,
  type BackupRuns,
  backupRunKey,
  isBackupOf,
  type RepositoryAt,
} from "../model/backup.ts";
import type { Volume } from "../model/commit.ts";
import type { Json } from "../model/json.ts";
import { type Hooks, hooksOf } from "./hooks.ts";
import { type BackupRunInput, Input } from "./input.ts";
import { chosen, expiredAfter, isDone } from "./scheduled.ts";

type Facts = Omit<ChangeFacts, "content"> & {
  readonly repositories: readonly BackupRepository[];
  /** Of the machines that have the volumes. */
  readonly looks: readonly Look[];
  readonly last?: BackupRuns;
  /** The backups that are there, where a rule deletes some of them. */
  readonly present?: FoundBackups;
  /** Revision of the fact about the last one. */
  readonly revision: number;
};
type Kinds = Pick<
  ChangeKinds,
  "volume.snapshot" | "volume.thin" | "backup.take" | "backup.hook" | "backup.forget"
>;
type Step = PlannedStep<Kinds>;

const machinesOf = (volumes: readonly Volume[]): readonly string[] =>
  [...new Set(volumes.map(({ machine }) => machine))].sort();

/**
 * Copies volumes to a repository outside the cluster, while their services run: each machine snapshots its volumes at one instant, and copies them by
 * clones. It takes no lease of the namespace.
 */
export const backupRun: Primitive<PrimitivePorts, BackupRunInput, Facts, Kinds, Json> = {
  name: "backup-run",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace }) => [`backup.${namespace}`],
  async observe(input, ports, signal) {
    const [cluster, repositories, fact] = await Promise.all([
      observeCluster([input.namespace], ports, signal),
      repositoriesOf(ports),
      ports.store.facts.get(backupRunKey(input.namespace)),
    ]);
    const place = chooseRepository(input.repository, repositories);
    const repository = "repository" in place ? repositoryAt(place.repository) : undefined;
    const asked = repository === undefined ? [] : machinesOf(chosen(input, cluster.head));
    const looks = await Promise.all(asked.map((machine) => look(machine, repository, ports, signal)));
    const rules = chosen(input, cluster.head).some(({ spec }) => spec.backup?.keep !== undefined);
    const { namespace } = input;
    const present =
      repository !== undefined && input.scheduled === true && rules
        ? await listBackups({ repository, namespace }, ports, signal)
        : undefined;
    return {
      ...{ ...cluster, repositories, looks, revision: fact?.revision ?? 0 },
      ...(fact !== undefined && { last: fact.value }),
      ...(present !== undefined && { present }),
    };
  },
  plan(input, facts, operation) {
    const { namespace } = input;
    const head = liveHead(facts.head);
    if (head === undefined) return { refusals: [noNamespace(namespace, { ...facts, content: new Map() })] };
    const volumes = chosen(input, facts.head);
    if (input.volume !== undefined && volumes.length === 0)
      return { refusals: [noVolume(namespace, input.volume, head)] };
    if (volumes.length === 0) return { refusals: [nothing(namespace)] };
    const place = chooseRepository(input.repository, facts.repositories);
    if ("refusal" in place) return { refusals: [place.refusal] };
    const repository = repositoryAt(place.repository);
    const refusals = machinesOf(volumes).flatMap((machine): readonly Refusal[] => {
      const found = facts.looks.find((one) => one.machine === machine);
      const problem = lookProblem(found, machine);
      if (problem !== undefined) return [problem];
      return found?.found?.state === "absent" ? [absent(repository, machine)] : [];
    });
    if (refusals.length > 0) return { refusals };
    const snapshot = snapshotName(operation);
    if (isDone(input, facts.last)) return nothingToDo(namespace, repository, snapshot);
    const expired = expiredAfter(operation, volumes, facts.present, { namespace, repository });
    const hooks = new Map(
      volumes.map((one) => [one.name, hooksOf(one, snapshotStep(namespace, one.machine), head, facts)]),
    );
    const prepare = machinesOf(volumes).flatMap((machine) =>
      stepsOn(
        machine,
        volumes.filter((one) => one.machine === machine),
        { namespace, repository, snapshot, commit: head.revision, hooks },
      ),
    );
    return {
      basis: [],
      prepare,
      settle: [
        ...volumes.map(
          ({ machine, id, name }): Step => ({
            ...{ id: `unsnapshot ${name}@${machine}`, kind: "volume.thin", machine, needs: [] },
            args: { machine, id, snapshots: [snapshot] },
            title: `remove the snapshot of ${name} on ${machine}`,
          }),
        ),
        ...expired.steps,
      ],
      summary: {
        ...{ kind: "backup-run", namespace, repository: repository.name, snapshot },
        volumes: volumes.map(({ name, machine }) => ({ name, machine })),
      },
      changes: true,
      warnings: [...[...hooks.values()].flatMap(({ warning }) => warning ?? []), ...expired.warnings],
    };
  },
  steps: {
    "volume.snapshot": steps["volume.snapshot"],
    "volume.thin": steps["volume.thin"],
    "backup.take": steps["backup.take"],
    "backup.hook": steps["backup.hook"],
    "backup.forget": steps["backup.forget"],
  },
  commit({ namespace, tick }, { head, last, revision }, { prepare, summary }, { operation, at, by, output }) {
    const taken = prepare.flatMap((step) => {
      if (step.kind !== "backup.take") return [];
      const { volume, machine, repository, id } = step.args;
      const out = output(step.id, "backup.take");
      const before = last?.volumes[volume];
      const present = head?.commit.volumes.find((one) => one.id === id) ?? { id, name: volume };
      const same = before === undefined || isBackupOf(before, { ...present, namespace });
      const since = same ? before?.since : out.at;
      const made = { ...out, repository: repository.name, machine, id };
      return [
        [
          volume,
          { ...made, ...(tick !== undefined && { tick }), ...(since !== undefined && { since }) },
        ] as const,
      ];
    });
    if (taken.length === 0) throw new Error(`a plan without backups: ${JSON.stringify(summary)}`);
    const volumes = { ...last?.volumes, ...Object.fromEntries(taken) };
    return {
      kind: "fact",
      key: backupRunKey(namespace),
      value: { volumes, operation, at, by },
      expected: revision,
    };
  },
  result: (_input, { summary, prepare }, { output }) => ({
    ...(summary as { [field: string]: Json }),
    volumes: prepare.flatMap((step) => {
      if (step.kind !== "backup.take") return [];
      const { volume: name, machine } = step.args;
      return [{ name, machine, ...output(step.id, "backup.take") }];
    }),
  }),
};

/** One instant for all volumes of a machine; then one after the other, so that it does little else at a time. */
function stepsOn(
  machine: string,
  volumes: readonly Volume[],
  {
    namespace,
    hooks,
    ...what
  }: {
    readonly namespace: string;
    readonly repository: RepositoryAt;
    readonly snapshot: string;
    readonly commit: number;
    readonly hooks: ReadonlyMap<string, Hooks>;
  },
): readonly Step[] {
  const own = volumes.flatMap(({ name }) => hooks.get(name) ?? []);
  const befores = own.flatMap(({ before }) => before ?? []);
  const snapshotFrom = snapshotStep(namespace, machine);
  const first: Step = {
    ...{ id: snapshotFrom, kind: "volume.snapshot", machine, needs: befores.map(({ id }) => id) },
    args: { machine, namespace, ids: volumes.map(({ id }) => id), snapshot: what.snapshot },
    title: `snapshot ${volumes.map(({ name }) => name).join(", ")} on ${machine}`,
  };
  const idOf = (name: string) => `backup ${name}@${machine}`;
  return [
    ...befores,
    first,
    ...own.flatMap(({ after }) => after ?? []),
    ...volumes.map(({ name, id }, index): Step => {
      const before = volumes[index - 1];
      return {
        ...{ id: idOf(name), kind: "backup.take", machine },
        args: { machine, namespace, volume: name, id, snapshotFrom, ...what },
        title: `back up ${name} from ${machine} to ${what.repository.name}`,
        needs: [snapshotFrom, ...(before === undefined ? [] : [idOf(before.name)])],
      };
    }),
  ];
}

const snapshotStep = (namespace: string, machine: string): string => `snapshot ${namespace}@${machine}`;

const nothingToDo = (namespace: string, repository: RepositoryAt, snapshot: string): Plan<Kinds> => ({
  ...{ basis: [], prepare: [], settle: [], warnings: [], changes: false },
  summary: { kind: "backup-run", namespace, repository: repository.name, snapshot, volumes: [] },
});

const nothing = (namespace: string): Refusal => ({
  code: "no_such_volume",
  message: `${namespace} has no volumes`,
  hint: `list its volumes: ployzctl volume ls ${namespace}`,
});
