import { randomBytes } from "node:crypto";
import { errorBody } from "@ployz/errors";
import { newSealKey, type Refounded, type RefoundStage, refound, type StoreSet } from "@ployz/nats-store";
import type { StoreEvent } from "@ployz/primitives/client";
import type { Json, MachineRecord } from "@ployz/primitives/protocol";
import type { AskPeer } from "../peers/ask.ts";
import type { Parcel, PeerCommands } from "../peers/commands.ts";
import { remoteMachine, serverOn } from "./survey.ts";

export interface Founding {
  readonly id: string;
  readonly from: { readonly generation: number; readonly machines: readonly string[] };
  readonly to: { readonly generation: number; readonly machines: readonly MachineRecord[] };
  readonly storePort: number;
  /** The key that encrypts the backup's secrets. Absent: the previous generation's key, or a new one. */
  readonly sealKey?: string;
  /** The source of the new generation, for machine `to`; `fenced`: up-to-date old servers. */
  parcel(fenced: readonly string[], to: string): Promise<Parcel>;
  /** See `store.carry` in peers/commands.ts. */
  readonly members: Readonly<Record<string, Json>> | null;
}

export interface Founded extends Refounded {
  /** The duration without writes. */
  readonly pauseMs: number;
}

const TITLES: Readonly<Record<RefoundStage, string>> = {
  founding: "start the new store servers",
  fencing: "fence the current store servers",
  carrying: "copy everything and verify it",
  retiring: "retire the current store servers",
  opening: "open the new store servers",
};

/** Founds a generation through the daemons of its machines. */
export async function found(
  ask: AskPeer,
  founding: Founding,
  emit: (event: StoreEvent) => void,
): Promise<Founded> {
  const { id, from, to, storePort } = founding;
  const set: StoreSet = {
    ...{ id, generation: to.generation, routeSecret: randomBytes(32).toString("hex") },
    sealKey: founding.sealKey ?? (await presentKey(ask, from.machines)) ?? newSealKey(),
    servers: to.machines.map((machine) => serverOn(machine, storePort, to.generation)),
  };
  const stages = stageEvents(emit);
  let fencedAt: number | undefined;
  try {
    const done = await refound({
      ...{ from, to: set },
      machine: (name) => remoteMachine(ask, name),
      async carry(fenced) {
        const target = set.servers[0]?.machine ?? "";
        const parcel = await founding.parcel(fenced, target);
        const args: PeerCommands["store.carry"]["args"] = {
          set: { generation: set.generation, servers: set.servers },
          ...{ parcel, members: founding.members },
        };
        await ask(target, "store.carry", args);
      },
      onStage(stage) {
        if (stage === "fencing") fencedAt = performance.now();
        stages.next(stage);
      },
    });
    stages.end();
    return { ...done, pauseMs: Math.round(performance.now() - (fencedAt ?? performance.now())) };
  } catch (error) {
    stages.fail(error);
    throw error;
  }
}

/**
 * The present set's key, or `undefined` if all its machines answer that they have none. An unreachable machine may have it: a new key would
 * make every secret unreadable, so that is an error, before any change.
 */
export async function presentKey(ask: AskPeer, machines: readonly string[]): Promise<string | undefined> {
  let failure: unknown;
  for (const machine of machines) {
    try {
      const key = await ask(machine, "store.seal-key", null);
      if (key !== null) return key;
    } catch (error) {
      // A daemon older than secrets has none.
      if (errorBody(error).code !== "no_such_command") failure = error;
    }
  }
  if (failure !== undefined) throw failure;
  return undefined;
}

function stageEvents(emit: (event: StoreEvent) => void) {
  let running: { readonly stage: RefoundStage; readonly since: number } | undefined;
  const end = (error?: unknown) => {
    if (running === undefined) return;
    const { stage, since } = running;
    running = undefined;
    emit({
      type: "step",
      step: stage,
      title: TITLES[stage],
      state: error === undefined ? "done" : "failed",
      ms: Math.round(performance.now() - since),
      ...(error instanceof Error && { error: { code: "store_stage_failed", message: error.message } }),
    });
  };
  return {
    next(stage: RefoundStage) {
      end();
      running = { stage, since: performance.now() };
      emit({ type: "step", step: stage, title: TITLES[stage], state: "started" });
    },
    end: () => end(),
    fail: (error: unknown) => end(error),
  };
}
