import { PloyzError } from "@ployz/exec";
import { entryOf } from "../server/record.ts";
import type { StoreMachine, StoreSet } from "./machine.ts";

export type RefoundStage = "founding" | "fencing" | "carrying" | "retiring" | "opening";

export interface Refounding {
  /**
   * The generation that serves, and every machine of its set. Where a set is lost for good and another takes its place (restore,
   * recover): those of its machines that are left, or none; the caller answers for the others.
   */
  readonly from: { readonly generation: number; readonly machines: readonly string[] };
  readonly to: StoreSet;
  machine(name: string): StoreMachine;
  /**
   * Copies all of the old generation into the new one and verifies it: `snapshotStore` with `fenced` from servers of these
   * machines only, then `restoreStore`.
   */
  carry(fenced: readonly string[]): Promise<void>;
  onStage?(stage: RefoundStage): void;
}

export interface Refounded {
  readonly generation: number;
  /** `host:port` for clients. */
  readonly servers: readonly string[];
  /** Machines of the new set that do not take writes yet: the same call again opens them. */
  readonly notOpen: readonly string[];
  /** Machines of the old set that have not retired: away, and without a majority. */
  readonly notRetired: readonly string[];
}

/**
 * Founds the next generation out of the present one and moves the right to accept writes to it: found → fence → carry → retire →
 * open. It is decided when a majority of the old set has retired. Before that a failure gives it up, and the old set goes on;
 * after it, the same call finishes. In between neither accepts a write; both never do. One that was given up starts again with
 * another id.
 * @throws PloyzError what failed, when it was given up; `store_refounding_unfinished`: call again with the same set.
 */
export async function refound(refounding: Refounding): Promise<Refounded> {
  const { from, to } = refounding;
  const stage = (name: RefoundStage) => refounding.onStage?.(name);
  if (to.generation <= from.generation) throw new Error("a new generation has a higher number");
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
 * Gives up a re-founding that is not decided: the old set takes writes again, and what was founded is removed.
 * @throws PloyzError `store_refounding_unfinished`: too late; `store_no_majority`: too few answer to take the fence back.
 */
export async function abandon(refounding: Omit<Refounding, "carry">): Promise<void> {
  const { from, to, machine } = refounding;
  if ((await decision(refounding)) !== "open") throw unfinished(to, undefined);
  // A machine that has taken its fence back does not retire for this re-founding any more. When a majority has, it cannot be
  // decided, whoever else is at work, and what was founded is of no use.
  const freed = await some(from.machines, (name) => machine(name).unfence(from.generation, to.id));
  const lost = freed.failed.filter(({ error }) => code(error) === "store_fence_lost");
  if (!isMajority(freed.done.length + lost.length, from.machines))
    throw noMajority(from.machines, freed.failed);
  await some(
    to.servers.map((server) => server.machine),
    (name) => machine(name).drop(to.generation, to.id),
  );
}

/** `decided`: a majority has retired, or the new set is open. `begun`: some have retired, so that giving up is no longer possible. */
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
  // What was not answered may have been done: whether this is decided only the machines know.
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

/** Asks all at once, and says who did it and who did not. */
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

/** Like Promise.all, but ends when all have ended: nothing still runs when the failure is dealt with. */
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
      message: `of the store machines ${machines.join(", ")} too few answer (${failed.map(({ name }) => name).join(", ")} did not)`,
      hint: "bring them back; if a majority of them is lost for good, the store has to be recovered from a survivor",
    },
    { cause: failed[0]?.error },
  );

const leftFenced = (machines: readonly string[], cause: unknown) =>
  new PloyzError(
    {
      code: "store_left_fenced",
      message: `the store was not moved (${cause instanceof Error ? cause.message : String(cause)}), and too few of ${machines.join(", ")} answer to let it take writes again`,
      hint: "run the command again when they answer; what runs goes on meanwhile",
    },
    { cause },
  );

const unfinished = (to: StoreSet, cause: unknown) =>
  new PloyzError(
    {
      code: "store_refounding_unfinished",
      message: `generation ${to.generation} of the store (re-founding ${to.id}) has begun to take over and is not there yet`,
      hint: "run the same command again when its store machines answer: it is finished from where it is",
      details: { generation: to.generation, id: to.id },
    },
    cause === undefined ? undefined : { cause },
  );
