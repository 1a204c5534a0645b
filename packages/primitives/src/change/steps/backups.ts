import { errorBody } from "@ployz/errors";
import type { Primitive, PrimitivePorts, StepContext } from "../../engine/types.ts";
import { PloyzError } from "../../error-codes.ts";
import type { RepositoryAt } from "../../model/backup.ts";
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

/** Shows bytes, or that another program has locked the repository. */
const shown =
  (note: string, { name }: RepositoryAt, progress: StepContext<PrimitivePorts>["progress"]) =>
  (value: Json): void => {
    const { waiting, ...bytes } = value as { done?: number; total?: number; waiting?: true };
    if (waiting) progress(`waiting: another program has locked ${name}`);
    else progress(note, bytes);
  };

export const backupSteps: Steps = {
  "backup.take": {
    ...long,
    async apply({ machine, snapshotFrom, ...what }, { call, operation, output, progress, signal }) {
      const { guids } = output(snapshotFrom, "volume.snapshot");
      const name = `${what.namespace}/${what.volume}`;
      const options = {
        ...{ timeoutMs: DAY, idleTimeoutMs: IDLE, signal },
        onProgress: shown(`backing up ${name}`, what.repository, progress),
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
  "backup.store": {
    ...long,
    async apply({ machine, repository }, { call, operation, progress, signal }) {
      const note = "backing up the store";
      const options = {
        ...{ timeoutMs: DAY, idleTimeoutMs: IDLE, signal },
        onProgress: shown(note, repository, progress),
      };
      try {
        return await call(machine, "backup.store", { repository, operation }, options);
      } catch (error) {
        throw signal.aborted ? error : stalled(error, "the backup of the store");
      }
    },
  },
  "backup.hook": {
    timeoutMs: ({ timeoutMs }) => timeoutMs + 15 * SECOND,
    retryTransient: true,
    async apply({ argv, ...of }, { call, signal }) {
      return argv === undefined ? null : hook({ ...of, argv }, call, signal);
    },
    async undo({ undo, ...of }, { call, signal }) {
      if (undo !== undefined) await hook({ ...of, argv: undo }, call, signal);
    },
  },
  "backup.forget": {
    ...long,
    async apply({ machine, ...what }, { call, progress, signal }) {
      const { name } = what.repository;
      const options = {
        ...{ timeoutMs: DAY, idleTimeoutMs: IDLE, signal },
        onProgress: shown(`making room in ${name}`, what.repository, progress),
      };
      try {
        return await call(machine, "backup.forget", what, options);
      } catch (error) {
        throw signal.aborted ? error : stalled(error, `the deletion in ${name}`);
      }
    },
  },
  "backup.restore": {
    ...long,
    async apply({ machine, ...what }, { call, operation, progress, signal }) {
      const name = `the backup ${what.backup.slice(0, 8)}`;
      const options = {
        ...{ timeoutMs: DAY, idleTimeoutMs: IDLE, signal },
        onProgress: shown(`restoring ${name}`, what.repository, progress),
      };
      try {
        return await call(machine, "backup.restore", { ...what, operation }, options);
      } catch (error) {
        throw signal.aborted ? error : stalled(error, `the restore of ${name}`);
      }
    },
  },
  "backup.compare": {
    ...long,
    async apply({ machine, ...what }, { call, operation, progress, signal }) {
      const note = `comparing the backup ${what.backup.slice(0, 8)}`;
      const options = {
        ...{ timeoutMs: DAY, idleTimeoutMs: IDLE, signal },
        onProgress: shown(note, what.repository, progress),
      };
      try {
        return await call(machine, "backup.compare", { ...what, operation }, options);
      } catch (error) {
        throw signal.aborted ? error : stalled(error, note);
      }
    },
  },
  "backup.check": {
    ...long,
    async apply({ machine, repository }, { call, progress, signal }) {
      const note = `reading all of ${repository.name}`;
      const options = {
        ...{ timeoutMs: DAY, idleTimeoutMs: IDLE, signal },
        onProgress: shown(note, repository, progress),
      };
      try {
        return await call(machine, "backup.check", { repository }, options);
      } catch (error) {
        throw signal.aborted ? error : stalled(error, note);
      }
    },
  },
  "volume.discard": {
    timeoutMs: () => DROP + 15 * SECOND,
    retryTransient: true,
    apply: ({ machine, id }, { call, operation, signal }) =>
      call(machine, "volume.discard", { id, operation }, { timeoutMs: DROP, signal }),
  },
};

const hook = (
  {
    machine,
    id,
    argv,
    timeoutMs,
  }: { machine: string; id: string; argv: readonly string[]; timeoutMs: number },
  call: StepContext<PrimitivePorts>["call"],
  signal: AbortSignal,
): Promise<null> =>
  call(machine, "backup.hook", { id, argv, timeoutMs }, { timeoutMs: timeoutMs + 5 * SECOND, signal });

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
