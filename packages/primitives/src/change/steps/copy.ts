import { errorBody } from "@ployz/errors";
import type { PrimitivePorts, StepContext } from "../../engine/types.ts";
import { PloyzError } from "../../error-codes.ts";
import type { Json } from "../../model/json.ts";
import type { VolumeIdentity } from "../../model/observation.ts";
import type { Source, VolumeKinds } from "./kinds.ts";
export type Context = Omit<StepContext<PrimitivePorts>, "output">;

const SECOND = 1000;
const QUICK = 30 * SECOND;
/** A transfer may take long as long as data arrives. */
const DAY = 86_400 * SECOND;
const IDLE = 60 * SECOND;
/** While the service is stopped for it: a stalled transfer must return the service to its source soon. */
export const STOPPED_IDLE = 15 * SECOND;
/** A difference that copies in this time needs no further round. */
const SMALL_MS = 250;
/** Nor does one of this size, however slow the network. */
const SMALL_BYTES = 1_048_576;
/** A round that copied more than this share of the one before gains nothing: writes keep up with the copy. */
const GAINS = 0.8;

export const roundName = (operation: string, round: number): string => `${operation.toLowerCase()}-r${round}`;

/** Full, then differences, each to its own snapshot, until one is small or no smaller than the one before. Data from an earlier run of this operation is reused. */
export async function precopy(
  {
    machine,
    source,
    maxRounds,
    maxDowntimeMs,
    bytesPerSecond,
    ...volume
  }: VolumeKinds["volume.precopy"]["args"],
  context: StepContext<PrimitivePorts>,
): Promise<VolumeKinds["volume.precopy"]["out"]> {
  let [bytes, ms, last] = [0, 0, Number.POSITIVE_INFINITY];
  let [round, more] = [0, true];
  let before = Number.POSITIVE_INFINITY;
  while (round < maxRounds && more) {
    round += 1;
    context.progress(`copying ${volume.namespace}/${volume.name}, round ${round}`);
    const snapshot = roundName(context.operation, round);
    const guid = await snapshotOne(source, volume.namespace, snapshot, context);
    const limit = bytesPerSecond === undefined ? {} : { bytesPerSecond };
    const done = await pull(machine, { ...volume, ...limit, source, snapshot, guid }, context);
    bytes += done.bytes;
    ms += done.ms;
    last = done.ms;
    more = last > SMALL_MS && done.bytes > SMALL_BYTES && done.bytes < GAINS * before;
    // The first may be short, because an earlier run had copied part of it.
    before = round === 1 ? Number.POSITIVE_INFINITY : done.bytes;
  }
  // The next round would copy the writes of the last one, in about the same time or less.
  if (maxDowntimeMs !== undefined && last > maxDowntimeMs) {
    throw new PloyzError({
      code: "downtime_exceeded",
      message: `after ${round} rounds the last difference of ${volume.namespace}/${volume.name} still took ${last} ms, longer than ${maxDowntimeMs} ms`,
      hint: "retry when the service writes less, allow more rounds (--max-rounds) or a longer stop (--max-downtime)",
    });
  }
  return { rounds: round, bytes, ms, predictedMs: last };
}

export async function snapshotOne(
  { machine, id }: Source,
  namespace: string,
  snapshot: string,
  { call, signal }: Context,
): Promise<string> {
  const args = { namespace, ids: [id], snapshot };
  const { guids } = await call(machine, "volume.snapshot", args, { timeoutMs: QUICK, signal });
  return guids[id] ?? "";
}

type Copied = VolumeIdentity & {
  readonly source: Source;
  readonly snapshot: string;
  readonly guid: string;
  readonly bytesPerSecond?: number;
};

/** @throws PloyzError `transfer_stalled`: unlike an unreachable machine, it is not retried. */
export const pull = (machine: string, what: Copied, context: Context, idleTimeoutMs = IDLE) =>
  copyTo(machine, "volume.pull", what, context, idleTimeoutMs);

/** To a standby. @throws PloyzError `transfer_stalled`. */
export const follow = (machine: string, what: Copied, context: Context) =>
  copyTo(machine, "volume.follow", what, context, IDLE);

async function copyTo(
  machine: string,
  command: "volume.pull" | "volume.follow",
  what: Copied,
  { call, signal, operation, progress }: Context,
  idleTimeoutMs: number,
) {
  const onProgress = (value: Json) => {
    const { done, total } = value as { readonly done: number; readonly total?: number };
    progress(`copying ${what.namespace}/${what.name}`, { done, ...(total !== undefined && { total }) });
  };
  const options = { timeoutMs: DAY, idleTimeoutMs, signal, onProgress };
  try {
    return await call(machine, command, { ...what, operation }, options);
  } catch (error) {
    if (signal.aborted || errorBody(error).code !== "deadline_exceeded") throw error;
    throw new PloyzError(
      {
        code: "transfer_stalled",
        message: `nothing of ${what.namespace}/${what.name} came from ${what.source.machine} to ${machine} for ${idleTimeoutMs / SECOND} s`,
        hint: `check that the two machines reach each other (ployzctl machine rtt), then run the same command again`,
      },
      { cause: error },
    );
  }
}

export async function forget({ machine, id }: Source, rounds: number, { call, signal, operation }: Context) {
  const snapshots = Array.from({ length: rounds }, (_, index) => roundName(operation, index + 1));
  await call(machine, "volume.unsnapshot", { ids: [id], snapshots }, { timeoutMs: QUICK, signal });
}
