import { errorBody } from "@ployz/errors";
import type { Primitive, PrimitivePorts } from "../../engine/types.ts";
import type { Json } from "../../model/json.ts";
import { follow, snapshotOne } from "./copy.ts";
import type { StandbyKinds, VolumeKinds } from "./kinds.ts";

type Steps = Pick<Primitive<PrimitivePorts, Json, unknown, VolumeKinds, Json>["steps"], StandbyKinds>;

const SECOND = 1000;
const QUICK = 30 * SECOND;
const RETRY = 15 * SECOND;
const DAY = 86_400 * SECOND;

export const standbySteps: Steps = {
  "standby.sync": {
    timeoutMs: () => DAY,
    retryTransient: false,
    async apply({ machine, source, snapshot, ...volume }, context) {
      const guid = await snapshotOne(source, volume.namespace, snapshot, context);
      return { guid, ...(await follow(machine, { ...volume, source, snapshot, guid }, context)) };
    },
    /** A copy that has arrived is good, and the base of the next: it stays, with its snapshot on both machines. */
    async undo({ machine, id, source, snapshot }, { call, signal, operation }) {
      const options = { timeoutMs: QUICK, signal };
      await unlessAway(async () => {
        await call(machine, "volume.unfollow", { id, operation }, options);
        const there = await call(machine, "volume.snapshots", { id }, options);
        if (there?.snapshots.some(({ name }) => name === snapshot)) return;
        await call(source.machine, "volume.unsnapshot", { ids: [source.id], snapshots: [snapshot] }, options);
      });
    },
  },
  "standby.thin": {
    timeoutMs: () => QUICK + RETRY,
    retryTransient: false,
    async apply({ machine, id, snapshots }, { call, signal }) {
      const args = { ids: [id], snapshots };
      await unlessAway(() => call(machine, "volume.unsnapshot", args, { timeoutMs: QUICK, signal }));
      return null;
    },
  },
  "volume.standdown": {
    timeoutMs: () => QUICK + RETRY,
    retryTransient: true,
    apply: ({ machine, ...volume }, { call, signal }) =>
      call(machine, "volume.standdown", volume, { timeoutMs: QUICK, signal }),
  },
  "volume.takeover": {
    timeoutMs: () => QUICK + RETRY,
    retryTransient: true,
    apply({ machine, snapshotGuid: guid, ...volume }, { call, signal, operation }) {
      return call(machine, "volume.takeover", { ...volume, operation, guid }, { timeoutMs: QUICK, signal });
    },
    async undo({ machine, id, snapshot, snapshotGuid: guid }, { call, signal, operation }) {
      const args = { id, operation, snapshot, guid };
      await call(machine, "volume.giveback", args, { timeoutMs: QUICK, signal });
    },
  },
};

/** A machine without power must not hold up what the next run of a schedule makes up for. */
async function unlessAway(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!["machine_unreachable", "deadline_exceeded"].includes(errorBody(error).code)) throw error;
  }
}
