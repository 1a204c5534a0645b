import type { Refusal } from "../error-codes.ts";
import type { BackupPolicy } from "../model/backup.ts";
import { invalid } from "../model/field.ts";
import { shown } from "../model/names.ts";
import { own } from "../model/own.ts";
import { checkDuration } from "./bounds.ts";
import { DEFAULTS } from "./defaults.ts";
import { checkKeep, checkSchedule, normalSchedule, renderSchedule } from "./schedule.ts";
import type { Manifest } from "./schema.ts";
import { durationMs, formatDuration } from "./units.ts";

type ManifestBackup = NonNullable<NonNullable<Manifest["volumes"]>[string]["backup"]>;
const HOOK_MS = 3_600_000;

/** Rules of a volume's backups beyond the schema. */
export function checkBackup(
  volume: string,
  backup: ManifestBackup | undefined,
  { jobs }: Pick<Manifest, "jobs">,
): readonly Refusal[] {
  if (backup === undefined) return [];
  const at = ["volumes", volume, "backup"];
  const { verify, timeout, keep } = backup;
  const longest = durationMs(timeout ?? "0s") ?? 0;
  return [
    ...checkSchedule(at, backup),
    ...checkDuration([...at, "timeout"], timeout, 1000),
    ...(longest > HOOK_MS ? [invalid([...at, "timeout"], "is longer than an hour")] : []),
    ...checkKeep([...at, "keep"], keep, "leave it out to keep all"),
    ...checkSchedule([...at, "verify"], verify),
    ...(verify?.job === undefined || own(jobs, verify.job) !== undefined
      ? []
      : [
          invalid(
            [...at, "verify", "job"],
            `no job is called ${shown(verify.job)}`,
            `add [jobs.${verify.job}]`,
          ),
        ]),
  ];
}

/** A late backup is better than none. */
const late = { missed: "run-once" } as const;

export function normalBackup({
  repository,
  keep,
  before,
  after,
  timeout,
  verify,
  ...times
}: ManifestBackup): BackupPolicy {
  const { job, ...check } = verify ?? {};
  return {
    repository,
    schedule: normalSchedule({ ...times, ...late }),
    ...(keep !== undefined && { keep: { ...keep } }),
    ...(before !== undefined && { before: [...before] }),
    ...(after !== undefined && { after: [...after] }),
    timeoutMs: timeout === undefined ? DEFAULTS.hookMs : (durationMs(timeout) ?? 0),
    ...(verify !== undefined && {
      verify: { schedule: normalSchedule({ ...check, ...late }), ...(job !== undefined && { job }) },
    }),
  };
}

export function renderBackup({
  repository,
  schedule,
  keep,
  before,
  after,
  timeoutMs,
  verify,
}: BackupPolicy): ManifestBackup {
  const times = (of: BackupPolicy["schedule"]) => {
    const { missed: _, ...rest } = renderSchedule(of);
    return rest;
  };
  return {
    repository,
    ...times(schedule),
    ...(keep !== undefined && { keep: { ...keep } }),
    ...(before !== undefined && { before: [...before] }),
    ...(after !== undefined && { after: [...after] }),
    ...(timeoutMs !== DEFAULTS.hookMs && { timeout: formatDuration(timeoutMs) }),
    ...(verify !== undefined && {
      verify: { ...times(verify.schedule), ...(verify.job !== undefined && { job: verify.job }) },
    }),
  };
}
