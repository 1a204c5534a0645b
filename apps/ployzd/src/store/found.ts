import { randomBytes } from "node:crypto";
import { errorBody } from "@ployz/errors";
import { newSealKey, type Refounded, type RefoundStage, refound, type StoreSet } from "@ployz/nats-store";
import type { Json, MachineRecord, StoreEvent } from "@ployz/primitives";
import type { AskPeer } from "../peers/ask.ts";
import type { Parcel, PeerCommands } from "../peers/commands.ts";
import { remoteMachine, serverOn } from "./survey.ts";

export interface Founding {
  readonly id: string;
  readonly from: { readonly generation: number; readonly machines: readonly string[] };
  readonly to: { readonly generation: number; readonly machines: readonly MachineRecord[] };
  readonly storePort: number;
  /** What the secrets of a backup are sealed with. Absent: the key of the generation before, or a new one. */
  readonly sealKey?: string;
  /** What the new generation is restored from, made for machine `to`; `fenced`: old servers that have it all. */
  parcel(fenced: readonly string[], to: string): Promise<Parcel>;
  /** See `store.carry` in peers/commands.ts. */
  readonly members: Readonly<Record<string, Json>> | null;
}

export interface Founded extends Refounded {
  /** For how long no write was taken. */
  readonly pauseMs: number;
}

const TITLES: Readonly<Record<RefoundStage, string>> = {
  founding: "start the new store servers",
  fencing: "let the present ones refuse writes",
  carrying: "carry everything over and verify it",
  retiring: "retire the present ones",
  opening: "open the new ones",
};

/** Founds a generation through the daemons of the machines that it concerns. */
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
 * The key that the present set has, or `undefined` where all of it says that it has none. Who cannot be asked may have it: a new key
 * would make every secret unreadable, so that is an error, before anything is changed.
 */
export async function presentKey(ask: AskPeer, machines: readonly string[]): Promise<string | undefined> {
  let failure: unknown;
  for (const machine of machines) {
    try {
      const key = await ask(machine, "store.seal-key", null);
      if (key !== null) return key;
    } catch (error) {
      // A daemon of before there were secrets has none.
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
