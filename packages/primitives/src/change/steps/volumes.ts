import { errorBody } from "@ployz/errors";
import type { Primitive, PrimitivePorts, ReadOutput } from "../../engine/types.ts";
import type { Json } from "../../model/json.ts";
import { type Context, forget, precopy, pull, STOPPED_IDLE, snapshotOne } from "./copy.ts";
import type { From, StandbyKinds, VolumeKinds } from "./kinds.ts";

type Steps = Pick<
  Primitive<PrimitivePorts, Json, unknown, VolumeKinds, Json>["steps"],
  Exclude<keyof VolumeKinds, StandbyKinds>
>;

const SECOND = 1000;
const QUICK = 30 * SECOND;
/** Room for a second try when the answer to the first was lost. */
const RETRY = 15 * SECOND;
/** A transfer may take long, as long as something moves. */
const DAY = 86_400 * SECOND;

/** Named by the operation, and so by its commit. */
export const snapshotName = (operation: string): string => operation.toLowerCase();

const quick = { timeoutMs: () => QUICK + RETRY, retryTransient: true };
const long = { timeoutMs: () => DAY, retryTransient: true };

export const volumeSteps: Steps = {
  "volume.ensure": {
    ...quick,
    apply: ({ machine, before, ...volume }, { call, signal, operation }) =>
      call(
        machine,
        "volume.ensure",
        { ...volume, operation, create: before === undefined },
        {
          timeoutMs: QUICK,
          signal,
        },
      ),
    async undo({ machine, before, ...volume }, context) {
      if (before === undefined) return discard(machine, volume.id, context);
      const { call, signal, operation } = context;
      const args = { ...volume, spec: before, operation, create: false };
      await call(machine, "volume.ensure", args, { timeoutMs: QUICK, signal });
    },
  },
  "volume.snapshot": {
    ...quick,
    apply: ({ machine, ...what }, { call, signal }) =>
      call(machine, "volume.snapshot", what, { timeoutMs: QUICK, signal }),
    async undo({ machine, ids, snapshot }, { call, signal }) {
      const args = { ids, snapshots: [snapshot] };
      await call(machine, "volume.unsnapshot", args, { timeoutMs: QUICK, signal });
    },
  },
  "volume.thin": {
    ...quick,
    apply: ({ machine, id, snapshots }, { call, signal }) =>
      call(machine, "volume.unsnapshot", { ids: [id], snapshots }, { timeoutMs: QUICK, signal }),
  },
  "volume.clone": {
    ...quick,
    apply({ machine, from, ...volume }, { call, signal, operation, output }) {
      const { id, snapshot } = from;
      const source = { id, snapshot, guid: guidOf(from, output) };
      return call(
        machine,
        "volume.clone",
        { ...volume, operation, from: source },
        {
          timeoutMs: QUICK,
          signal,
        },
      );
    },
    undo: ({ machine, id }, context) => discard(machine, id, context),
  },
  "volume.transfer": {
    ...long,
    async apply({ machine, from, source, ...volume }, context) {
      const last = { name: from.snapshot, guid: guidOf(from, context.output) };
      let [bytes, ms] = [0, 0];
      for (const { name, guid } of [...(from.earlier ?? []), last]) {
        const pulled = await pull(machine, { ...volume, source, snapshot: name, guid }, context);
        bytes += pulled.bytes;
        ms += pulled.ms;
      }
      return { guid: last.guid, bytes, ms };
    },
    undo: ({ machine, id }, context) => discard(machine, id, context),
  },
  "volume.precopy": {
    ...long,
    apply: precopy,
    async undo({ machine, id, source, maxRounds }, context) {
      await discard(machine, id, context);
      await forget(source, maxRounds, context);
    },
  },
  "volume.seal": {
    ...quick,
    async apply({ machine, id }, { call, signal, operation }) {
      return call(machine, "volume.seal", { id, operation }, { timeoutMs: QUICK, signal });
    },
    async undo({ machine, id }, { call, signal, operation }) {
      await call(machine, "volume.unseal", { id, operation }, { timeoutMs: QUICK, signal });
    },
  },
  "volume.final": {
    ...long,
    async apply({ machine, source, snapshot, ...volume }, context) {
      const guid = await snapshotOne(source, volume.namespace, snapshot, context);
      context.progress("copying the last difference");
      const what = { ...volume, source, snapshot, guid };
      const { bytes, ms } = await pull(machine, what, context, STOPPED_IDLE);
      return { guid, bytes, ms };
    },
    async undo({ source, snapshot }, { call, signal }) {
      const args = { ids: [source.id], snapshots: [snapshot] };
      await call(source.machine, "volume.unsnapshot", args, { timeoutMs: QUICK, signal });
    },
  },
  "volume.admit": {
    ...quick,
    apply({ machine, received, ...volume }, { call, signal, operation, output }) {
      const { guid } = output(received, "volume.final", "volume.transfer");
      return call(machine, "volume.admit", { ...volume, operation, guid }, { timeoutMs: QUICK, signal });
    },
    undo: ({ machine, id }, context) => discard(machine, id, context),
  },
  "gateway.hold": {
    timeoutMs: () => QUICK,
    retryTransient: false,
    async apply({ machines, ...what }, { call, signal }) {
      const held = machines.map(async (machine) => {
        try {
          const { held } = await call(machine, "gateway.hold", what, { timeoutMs: 3 * SECOND, signal });
          return held ? [machine] : [];
        } catch (error) {
          if (signal.aborted || errorBody(error).code === "fenced") throw error;
          return [];
        }
      });
      return { held: (await Promise.all(held)).flat() };
    },
    async undo({ machines, ...what }, { call, signal }) {
      const options = { timeoutMs: 3 * SECOND, signal };
      const ended = machines.map((machine) =>
        call(machine, "gateway.hold", { ...what, ms: 0 }, options).catch((error: unknown) => {
          // It ends by itself there.
          if (errorBody(error).code === "fenced") throw error;
        }),
      );
      await Promise.all(ended);
    },
  },
  "volume.tidy": {
    ...quick,
    async apply({ machine, id, rounds }, context) {
      await forget({ machine, id }, rounds, context);
      return null;
    },
  },
  "volume.retire": {
    ...quick,
    apply: ({ machine, id }, { call, signal, operation }) =>
      call(machine, "volume.retire", { id, operation }, { timeoutMs: QUICK, signal }),
  },
  "volume.prune": {
    ...quick,
    async apply({ machine, namespace }, { call, signal }) {
      const { destroyed } = await call(machine, "volume.prune", { namespace }, { timeoutMs: QUICK, signal });
      return { destroyed: destroyed.length };
    },
  },
};

function guidOf({ id, guid, guidFrom }: From, output: ReadOutput<VolumeKinds>): string {
  if (guid !== undefined) return guid;
  const { guids } = output(guidFrom ?? "", "volume.snapshot");
  return guids[id] ?? "";
}

async function discard(machine: string, id: string, { call, signal, operation }: Context): Promise<void> {
  await call(machine, "volume.discard", { id, operation }, { timeoutMs: QUICK, signal });
}
