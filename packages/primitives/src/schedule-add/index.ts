import { chooseRepository, repositoriesOf } from "../backups/observe.ts";
import { inputParser } from "../change/input.ts";
import { hashJson } from "../engine/canonical.ts";
import type { Primitive, PrimitivePorts, Refusal } from "../engine/types.ts";
import { checkKeep, checkSchedule, normalSchedule, renderSchedule } from "../manifest/schedule.ts";
import type { BackupRepository } from "../model/backup.ts";
import { invalid } from "../model/field.ts";
import type { Json } from "../model/json.ts";
import { type ClusterSchedule, clusterScheduleKey } from "../model/schedule.ts";
import { Input, type ScheduleAddInput } from "./input.ts";

type Facts = {
  readonly present?: ClusterSchedule;
  readonly revision: number;
  readonly repositories: readonly BackupRepository[];
};

const shape = inputParser(Input);

/** What it would be, beside who wrote it; the repository is decided now, so that another one does not make it ambiguous. */
type Wanted = Omit<ClusterSchedule, "operation" | "at" | "by" | "removed">;

/** Writes down an operation that the cluster runs by itself at its times, or changes the one of that name. */
export const scheduleAdd: Primitive<PrimitivePorts, ScheduleAddInput, Facts, Record<never, never>, Json> = {
  name: "schedule-add",
  version: 1,
  parse(raw) {
    const parsed = shape(raw);
    if (!parsed.ok) return parsed;
    const { input } = parsed;
    const refusals = [
      ...checkSchedule(["schedule"], input.schedule),
      ...checkKeep(["keep"], input.keep, "leave it out to keep all"),
      ...(input.runs === "store-backup"
        ? []
        : (["repository", "keep"] as const).flatMap((field) =>
            input[field] === undefined
              ? []
              : [invalid([field], `${input.runs} has none`, "only store-backup has")],
          )),
    ];
    return refusals.length === 0 ? parsed : { ok: false, refusals };
  },
  scope: ({ name }) => [`cluster-schedule.${name}`],
  async observe({ name }, ports) {
    const [fact, repositories] = await Promise.all([
      ports.store.facts.get(clusterScheduleKey(name)),
      repositoriesOf(ports),
    ]);
    return {
      ...(fact !== undefined && { present: fact.value }),
      ...{ revision: fact?.revision ?? 0, repositories },
    };
  },
  plan(input, { present, repositories }) {
    const wanted = wantedOf(input, repositories);
    if ("refusal" in wanted) return { refusals: [wanted.refusal] };
    return {
      ...{ basis: [], prepare: [], settle: [], warnings: [] },
      summary: {
        ...{ kind: "schedule-add", schedule: input.name, runs: input.runs },
        when: { ...renderSchedule(wanted.schedule) },
        ...(wanted.repository !== undefined && { repository: wanted.repository }),
        replaces: present !== undefined && present.removed !== true,
      },
      changes:
        present === undefined || present.removed === true || hashJson(asked(present)) !== hashJson(wanted),
    };
  },
  steps: {},
  commit(input, { revision, repositories }, _plan, { operation, at, by }) {
    const wanted = wantedOf(input, repositories);
    if ("refusal" in wanted) throw new Error("a plan without a repository");
    return {
      kind: "fact",
      key: clusterScheduleKey(input.name),
      value: { ...wanted, operation, at, by },
      expected: revision,
    };
  },
  result: (_input, { summary }) => summary,
};

function wantedOf(
  { name, runs, repository, keep, schedule }: ScheduleAddInput,
  repositories: readonly BackupRepository[],
): Wanted | { readonly refusal: Refusal } {
  const base = { name, runs, schedule: normalSchedule(schedule) };
  if (runs !== "store-backup") return base;
  const place = chooseRepository(repository, repositories);
  if ("refusal" in place) return place;
  return { ...base, repository: place.repository.name, ...(keep && { keep: { ...keep } }) };
}

const asked = ({ name, runs, schedule, repository, keep }: ClusterSchedule): Wanted => ({
  ...{ name, runs, schedule },
  ...(repository !== undefined && { repository }),
  ...(keep && { keep }),
});
