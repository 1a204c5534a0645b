import { errorBody } from "@ployz/errors";
import type { Primitive, PrimitivePorts } from "../../engine/types.ts";
import { PloyzError } from "../../error-codes.ts";
import type { Json } from "../../model/json.ts";
import type { BackupKinds, ChangeKinds } from "./kinds.ts";

type Steps = Pick<Primitive<PrimitivePorts, Json, unknown, ChangeKinds, Json>["steps"], keyof BackupKinds>;

const SECOND = 1000;
const DROP = 60 * SECOND;
/** A backup may take long, as long as something moves. */
const DAY = 86_400 * SECOND;
/** A repository may say nothing while it is read and written. */
const IDLE = 15 * 60 * SECOND;

const long = { timeoutMs: () => DAY, retryTransient: true };
const bytesOf = (value: Json) => value as { readonly done: number; readonly total?: number };

export const backupSteps: Steps = {
  "backup.take": {
    ...long,
    async apply({ machine, snapshotFrom, ...what }, { call, operation, output, progress, signal }) {
      const { guids } = output(snapshotFrom, "volume.snapshot");
      const name = `${what.namespace}/${what.volume}`;
      const options = {
        ...{ timeoutMs: DAY, idleTimeoutMs: IDLE, signal },
        onProgress: (value: Json) => progress(`backing up ${name}`, bytesOf(value)),
      };
      try {
        const args = { ...what, operation, guid: guids[what.id] ?? "" };
        return await call(machine, "backup.take", args, options);
      } catch (error) {
        throw signal.aborted ? error : stalled(error, `the backup of ${name}`);
      }
    },
    async undo({ machine, repository, id }, { call, signal }) {
      await call(machine, "backup.drop", { repository, id }, { timeoutMs: DROP, signal });
    },
  },
  "backup.restore": {
    ...long,
    async apply({ machine, ...what }, { call, operation, progress, signal }) {
      const name = `the backup ${what.backup.slice(0, 8)}`;
      const options = {
        ...{ timeoutMs: DAY, idleTimeoutMs: IDLE, signal },
        onProgress: (value: Json) => progress(`restoring ${name}`, bytesOf(value)),
      };
      try {
        return await call(machine, "backup.restore", { ...what, operation }, options);
      } catch (error) {
        throw signal.aborted ? error : stalled(error, `the restore of ${name}`);
      }
    },
  },
};

/** Unlike an unreachable machine, it is not retried. */
function stalled(error: unknown, what: string): unknown {
  if (errorBody(error).code !== "deadline_exceeded") return error;
  return new PloyzError(
    {
      code: "backup_stalled",
      message: `${what} made no progress for ${IDLE / SECOND} s`,
      hint: "check the repository: ployzctl backup repository show NAME",
    },
    { cause: error },
  );
}
