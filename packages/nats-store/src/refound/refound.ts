import { PloyzError } from "../error-codes.ts";
import { entryOf } from "../server/record.ts";
import type { StoreMachine, StoreSet } from "./machine.ts";

/** The stages, in their order. */
export type RefoundStage = "founding" | "fencing" | "carrying" | "retiring" | "opening";

/** From which set to which, and how to reach the machines. */
export interface Refounding {
  /**
   * The serving generation and all machines of its set. When another set replaces a lost one (restore, recover): its surviving machines, or
   * none; the caller guarantees that the others are lost.
   */
  readonly from: { readonly generation: number; readonly machines: readonly string[] };
  readonly to: StoreSet;
  /** The calls to a machine of either set. */
  machine(name: string): StoreMachine;
  /**
   * Copies the whole old generation into the new one and verifies it: `snapshotStore` with `fenced` from servers of these machines only,
   * then `restoreStore`.
   */
  carry(fenced: readonly string[]): Promise<void>;
  /** Called as each stage begins. */
  onStage?(stage: RefoundStage): void;
}

/** The new set, and the machines that lag behind. */
export interface Refounded {
  readonly generation: number;
  /** `host:port` for clients. */
  readonly servers: readonly string[];
  /** Machines of the new set that do not accept writes yet: repeating the call opens them. */
  readonly notOpen: readonly string[];
  /** Machines of the old set that have not retired: unreachable, and without a majority. */
  readonly notRetired: readonly string[];
}

/**
 * Founds the next generation from the present one and transfers the right to accept writes: found → fence → carry → retire → open. The
 * re-founding is decided when a majority of the old set has retired. Before that a failure abandons it, and the old set serves again; after
 * it, repeating the call finishes it. In between neither set accepts writes; both never do. After an abandoned one, start again with
 * another id.
 * @throws PloyzError the failure, when it was abandoned; `store_refounding_unfinished`: call again with the same set.
 */
export async function refound(refounding: Refounding): Promise<Refounded> {
  const { from, to } = refounding;
  const stage = (name: RefoundStage) => refounding.onStage?.(name);
  if (to.generation <= from.generation) throw new Error("a new generation needs a higher number");
  if ((await decision(refounding)) === "open") {
    try {
      stage("founding");
      await all(to.servers, ({ machine }) => refounding.machine(machine).found(to));
      stage("fencing");
      const fenced = await some(from.machines, (name) =>
        refounding.machine(name).fence(from.generation, to.id),
      );
      if (!isMajority(fenced.done.length, from.machines)) throw noMajority(from.machines, fenced.failed);
      stage("carrying");
      await refounding.carry(fenced.done);
    } catch (error) {
      await abandon(refounding).catch(() => {
        throw leftFenced(from.machines, error);
      });
      throw error;
    }
    stage("retiring");
    await retire(refounding);
  }
  stage("opening");
  return openNew(refounding);
}

/**
 * Abandons an undecided re-founding: the old set accepts writes again, and the founded servers are removed.
 * @throws PloyzError `store_refounding_unfinished`: too late; `store_no_majority`: too few machines answer to revoke the fence.
 */
export async function abandon(refounding: Omit<Refounding, "carry">): Promise<void> {
  const { from, to, machine } = refounding;
  if ((await decision(refounding)) !== "open") throw unfinished(to, undefined);
  // A machine that revoked its fence never retires for this re-founding. Once a majority has revoked, it cannot be
  // decided, even by a concurrent caller, and the founded servers are useless.
  const freed = await some(from.machines, (name) => machine(name).unfence(from.generation, to.id));
  const lost = freed.failed.filter(({ error }) => code(error) === "store_fence_lost");
  if (!isMajority(freed.done.length + lost.length, from.machines))
    throw noMajority(from.machines, freed.failed);
  await some(
    to.servers.map((server) => server.machine),
    (name) => machine(name).drop(to.generation, to.id),
  );
}

/** `decided`: a majority has retired, or the new set is open. `begun`: some have retired, so it can no longer be abandoned. */
async function decision({
  from,
  to,
  machine,
}: Omit<Refounding, "carry">): Promise<"open" | "begun" | "decided"> {
  const fresh = await some(
    to.servers.map((server) => server.machine),
    (name) => machine(name).record(),
  );
  const serves = fresh.values.some((record) => {
    const entry = entryOf(record, to.generation);
    return entry?.state === "serving" && entry.id === to.id;
  });
  if (serves) return "decided";
  const records = await some(from.machines, (name) => machine(name).record());
  const retired = records.values.filter((record) => {
    const entry = entryOf(record, from.generation);
    return entry?.state === "retired" && entry.fence === to.id;
  });
  if (retired.length === 0) return "open";
  return isMajority(retired.length, from.machines) ? "decided" : "begun";
}

async function retire(refounding: Refounding): Promise<void> {
  const { from, to, machine } = refounding;
  const retired = await some(from.machines, (name) => machine(name).retire(from.generation, to.id));
  if (isMajority(retired.done.length, from.machines)) return;
  // An unanswered call may have succeeded: only the machines know whether this is decided.
  if (retired.failed.every(({ error }) => code(error) === "store_fence_lost") && retired.done.length === 0) {
    await abandon(refounding);
    throw retired.failed[0]?.error;
  }
  throw unfinished(to, retired.failed[0]?.error);
}

async function openNew(refounding: Refounding): Promise<Refounded> {
  const { from, to, machine } = refounding;
  if ((await decision(refounding)) === "begun") await retire(refounding);
  const names = to.servers.map((server) => server.machine);
  const opened = await some(names, (name) => machine(name).serve(to.generation, to.id));
  if (!isMajority(opened.done.length, names)) throw unfinished(to, opened.failed[0]?.error);
  const late = await some(from.machines, (name) => machine(name).retire(from.generation, to.id));
  return {
    generation: to.generation,
    servers: to.servers.map(({ host, port }) => `${host}:${port}`),
    notOpen: opened.failed.map(({ name }) => name),
    notRetired: late.failed.map(({ name }) => name),
  };
}

interface Outcome<T> {
  readonly done: readonly string[];
  readonly values: readonly T[];
  readonly failed: readonly { readonly name: string; readonly error: unknown }[];
}

/** Calls all machines concurrently, and reports which succeeded and which failed. */
async function some<T>(names: readonly string[], ask: (name: string) => Promise<T>): Promise<Outcome<T>> {
  const answers = await Promise.allSettled(names.map(async (name) => ask(name)));
  const done: string[] = [];
  const values: T[] = [];
  const failed: { name: string; error: unknown }[] = [];
  for (const [at, answer] of answers.entries()) {
    const name = names[at] ?? "";
    if (answer.status === "rejected") failed.push({ name, error: answer.reason });
    else {
      done.push(name);
      values.push(answer.value);
    }
  }
  return { done, values, failed };
}

/** Like Promise.all, but settles after all have settled: nothing still runs when the caller handles the failure. */
async function all<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const answers = await Promise.allSettled(items.map(work));
  for (const answer of answers) if (answer.status === "rejected") throw answer.reason;
}

const isMajority = (count: number, of: readonly unknown[]) => of.length === 0 || count > of.length / 2;
const code = (error: unknown) => (error instanceof PloyzError ? error.code : undefined);

const noMajority = (machines: readonly string[], failed: Outcome<unknown>["failed"]) =>
  new PloyzError(
    {
      code: "store_no_majority",
      message: `too few of the store machines ${machines.join(", ")} answer (no answer from ${failed.map(({ name }) => name).join(", ")})`,
      hint: "start those machines; if a majority of them is lost for good: ployzctl store recover",
    },
    { cause: failed[0]?.error },
  );

const leftFenced = (machines: readonly string[], cause: unknown) =>
  new PloyzError(
    {
      code: "store_left_fenced",
      message: `the store was not moved (${cause instanceof Error ? cause.message : String(cause)}), and too few of ${machines.join(", ")} answer to end its fence`,
      hint: "run the command again when they answer; workloads keep running meanwhile",
    },
    { cause },
  );

const unfinished = (to: StoreSet, cause: unknown) =>
  new PloyzError(
    {
      code: "store_refounding_unfinished",
      message: `generation ${to.generation} of the store (re-founding ${to.id}) has begun to take over but is not open yet`,
      hint: "run the same command again when its store machines answer: it continues where it stopped",
      details: { generation: to.generation, id: to.id },
    },
    cause === undefined ? undefined : { cause },
  );
