import { nextTick } from "@ployz/primitives/host";
import {
  backupRunKey,
  backupVerifyKey,
  type Commit,
  type FactTypes,
  isBackupOf,
  type Schedule,
} from "@ployz/primitives/protocol";
import type { Member } from "../daemon/member-parts.ts";
import { type Warning, warning } from "../warnings/codes.ts";

/** How old the backups of a volume are, where it has any, or a schedule of them. Times in RFC 3339. */
export interface BackupAge {
  readonly namespace: string;
  readonly volume: string;
  readonly repository: string;
  /** Of the data in the last backup. */
  readonly taken?: string;
  /** Of the data in the last backup that was restored and compared. */
  readonly verified?: string;
  /** `late`: two runs of its schedule, or of its verification, are missing. */
  readonly state: "current" | "late" | "unscheduled";
}

export interface BackupFacts {
  readonly runs: ReadonlyMap<string, FactTypes["backup-run"]>;
  readonly verified: ReadonlyMap<string, FactTypes["backup-verify"]>;
}

/** The last backups and the last verified ones, by the keys of the facts. */
export async function backupFacts({ store }: Pick<Member, "store">): Promise<BackupFacts> {
  const [runs, verified] = await Promise.all([
    store.facts.list("backup-run"),
    store.facts.list("backup-verify"),
  ]);
  return {
    runs: new Map(runs.map(({ key, value }) => [key as string, value])),
    verified: new Map(verified.map(({ key, value }) => [key as string, value])),
  };
}

/** Time for the run of a tick. */
const RUN_MS = 15 * 60_000;

/** Volumes with a schedule of backups, or with a backup. Pure. */
export function backupAges(
  commits: readonly Commit[],
  { runs, verified }: BackupFacts,
  now: number,
): readonly BackupAge[] {
  return commits.flatMap(({ namespace, volumes, at }) =>
    volumes.flatMap((present): readonly BackupAge[] => {
      const {
        name: volume,
        spec: { backup },
      } = present;
      const of = runs.get(backupRunKey(namespace))?.volumes[volume];
      const own = of === undefined || isBackupOf(of, { ...present, namespace });
      const last = own ? of : undefined;
      const checked = verified.get(backupVerifyKey(namespace))?.volumes[volume];
      const good = own && (checked?.taken ?? "") >= (of?.since ?? "") ? checked : undefined;
      const repository = backup?.repository ?? last?.repository;
      if (repository === undefined) return [];
      // Before the first one, its schedule counts from the last deploy.
      const late = (schedule: Schedule | undefined, done: string | undefined) => {
        if (schedule === undefined) return false;
        const next = nextTick(schedule, Date.parse(done ?? at));
        const second = next === undefined ? undefined : nextTick(schedule, next);
        return second !== undefined && now > second + (schedule.jitterMs ?? 0) + RUN_MS;
      };
      const old = late(backup?.schedule, last?.at) || late(backup?.verify?.schedule, good?.at);
      return [
        {
          ...{ namespace, volume, repository },
          ...(last !== undefined && { taken: last.at }),
          ...(good !== undefined && { verified: good.taken }),
          state: backup === undefined ? "unscheduled" : old ? "late" : "current",
        },
      ];
    }),
  );
}

/** Weekly backups, and a day to repeat a failed one. */
const OLD_MS = 8 * 86_400_000;

/** At most one for each volume: of its schedule, or of its age where it has none. Pure. */
export const backupWarnings = (ages: readonly BackupAge[], now: number): readonly Warning[] =>
  ages.flatMap(({ namespace, volume, taken, verified, state }) => {
    const what = `${namespace}/${volume}`;
    const then = (at: string | undefined) => at ?? "never";
    if (state === "late")
      return [
        warning("backup_late", what, {
          message: `runs of the backups of ${what} are missing: the last is of ${then(taken)}, the last verified one of ${then(verified)}`,
          hint: `see its last run: ployzctl schedule show ${what}.backup`,
        }),
      ];
    if (state === "current" || taken === undefined || now - Date.parse(taken) <= OLD_MS) return [];
    return [
      warning("backup_old", what, {
        message: `the last backup of ${what} is of ${taken}, and no schedule makes another`,
        hint: `ployzctl backup run ${namespace} --volume ${volume}`,
      }),
    ];
  });
