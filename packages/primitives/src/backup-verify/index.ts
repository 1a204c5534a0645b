import { verifyScope } from "../backups/observe.ts";
import { inputParser } from "../change/input.ts";
import { steps as all } from "../change/steps/instances.ts";
import type { Primitive, PrimitivePorts } from "../engine/types.ts";
import { steps as jobSteps } from "../job-run/steps.ts";
import { backupVerifyKey } from "../model/backup.ts";
import type { Json } from "../model/json.ts";
import { type BackupVerifyInput, Input } from "./input.ts";
import { type Facts, observe } from "./observe.ts";
import { compareId, type Kinds, plan, type VerifySummary } from "./plan.ts";

/**
 * Restores backups into volumes of their own, compares them with what the backups list, and runs the operator's check on them. The volumes
 * are destroyed, whatever comes of it. Only a backup that passes counts as verified.
 */
export const backupVerify: Primitive<PrimitivePorts, BackupVerifyInput, Facts, Kinds, Json, VerifySummary> = {
  name: "backup-verify",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace, job }) => [
    verifyScope(namespace),
    ...(job === undefined ? [] : [`job.${namespace}.${job}`]),
  ],
  observe,
  plan,
  steps: {
    ...jobSteps,
    "volume.ensure": all["volume.ensure"],
    "backup.restore": all["backup.restore"],
    "backup.compare": all["backup.compare"],
    "backup.check": all["backup.check"],
    "volume.discard": all["volume.discard"],
  },
  commit({ namespace, job }, { last, revision }, { summary }, { operation, at, by }) {
    const { repository } = summary;
    const verified = summary.volumes.map(({ name, backup, at: taken }) => [
      name,
      { backup, repository, taken, at, operation, ...(job !== undefined && { job }) },
    ]);
    return {
      kind: "fact",
      key: backupVerifyKey(namespace),
      value: { operation, at, by, volumes: { ...last?.volumes, ...Object.fromEntries(verified) } },
      expected: revision,
    };
  },
  result: (_input, { summary }, { output }) => ({
    ...summary,
    volumes: summary.volumes.map((volume) => ({
      ...volume,
      ...output(compareId(volume.name), "backup.compare"),
    })),
  }),
};
