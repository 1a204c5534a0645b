import type { StoreMoved, StorePlan, StoreRecover, StoreRecovery, StoreView } from "@ployz/primitives/client";
import type { Restored } from "../certificates/restore.ts";
import { PloyzError } from "../error-codes.ts";
import type { Founding } from "./found.ts";
import { conclude, needFit, Refused, settled, tell } from "./move.ts";
import { type ReplaceDeps, type Run, viewsOf } from "./replace.ts";
import { resolve, type Surveyed, setOf, survey } from "./survey.ts";
import { sameSet, sorted } from "./wanted.ts";

/** All store machines are lost: rebuilds the store from a surviving mirror. */
export async function recoverStore(
  deps: ReplaceDeps,
  request: StoreRecover,
  { id, emit }: Run,
): Promise<StorePlan | StoreMoved> {
  const seen = await settled(deps, true, emit);
  const old = Math.max(0, ...Object.values(seen.looks).map(({ view }) => view.generation));
  const set = setOf(seen.looks, old);
  const held =
    set.length > 0
      ? set
      : deps
          .members()
          .filter(({ store }) => store)
          .map((one) => one.id);
  const left = held.filter((machine) =>
    seen.looks[machine]?.record?.generations.some(
      (entry) => entry.generation === old && entry.state !== "retired" && entry.state !== "founding",
    ),
  );
  if (left.length > held.length / 2) return reopen(deps, { request, generation: old, left, emit });
  await deps.store.facts.get("cluster").then(
    () => Promise.reject(stillThere(old, held)),
    () => undefined, // as it should be
  );
  const targets = sorted(request.machines ?? [deps.self]);
  const generation = recoveredGeneration(seen.newest, old);
  const views = viewsOf(seen);
  const best = [...views].sort((a, b) => b.commits - a.commits || b.facts - a.facts)[0] as StoreView;
  const recovery: StoreRecovery = {
    ...{ from: best.machine, commits: best.commits, facts: best.facts, views },
    namespaces: deps.mirror.heads().map(({ key }) => key),
    lost: ["history before the present commits", "operations and their journals", "leases", "secrets"],
  };
  const plan: StorePlan = {
    ...{ kind: "store-plan", action: "recover", changes: true, recovery },
    from: { generation: old, machines: sorted(held) },
    to: { generation, machines: targets },
    unfinished: seen.unfinished.map(({ id: one, decided }) => ({ id: one, decided })),
    warnings: [
      `${sorted(Object.keys(seen.silent)).join(", ") || "nobody"} does not answer`,
      ...(left.length > 0 ? [`${left.join(", ")} had a part of the lost store; it is not used`] : []),
    ],
  };
  emit({ type: "store-plan", plan });
  if (![1, 3, 5].includes(targets.length))
    throw new Refused([
      { code: "store_set_size", message: `the store is on 1, 3 or 5 machines, not on ${targets.length}` },
    ]);
  const members = deps.members();
  const unknown = targets.filter((machine) => !members.some((one) => one.id === machine));
  if (unknown.length > 0)
    throw new Refused(
      unknown.map((machine) => ({
        code: "no_such_machine",
        message: `${machine} is not a member here`,
        machine,
      })),
    );
  if (request.preview !== true) {
    const finished = await settleRecoveries(deps, seen, emit);
    if (finished !== undefined) {
      const unaware = await tell(deps, finished);
      return {
        ...{
          kind: "store-moved",
          action: "recover",
          changed: true,
          generation: finished.generation,
          pauseMs: 0,
        },
        ...{
          machines: sorted(finished.machines),
          previous: sorted(held),
          notOpen: [],
          notRetired: [],
          unaware,
        },
      };
    }
  }
  await needFit(deps, seen, targets, generation);
  if (request.preview === true) return plan;
  const founding: Founding = {
    ...{ id, storePort: deps.storePort, members: null, from: { generation: old, machines: left } },
    to: { generation, machines: members.filter((one) => targets.includes(one.id)) },
    async parcel(_, to) {
      return (await deps.ask(best.machine, "store.mirror", { generation: old, to })).parcel;
    },
  };
  const moved = await conclude(deps, { founding, action: "recover", emit, lease: undefined });
  return { ...moved, recovery: { ...recovery, certificates: await keysOf(deps, targets, emit) } };
}

/** When the new store does not answer yet, all certificates count as lost: `cert ls` tells more. */
async function keysOf(deps: ReplaceDeps, targets: readonly string[], emit: Run["emit"]): Promise<Restored> {
  emit({ type: "waiting", what: "keys of certificates, from the gateways that serve them" });
  return deps.restoreKeys(targets).catch((error: unknown): Restored => {
    deps.log(error);
    const records = deps.mirror.facts("certificate").map(({ value }) => value);
    return { restored: [], lost: records.flatMap(({ name, removed }) => (removed === true ? [] : [name])) };
  });
}

/**
 * Interrupted recoveries: finishes one that has opened a server of its set, which is the store; removes the servers founded by others,
 * which would block a retry.
 */
async function settleRecoveries(
  deps: ReplaceDeps,
  seen: Surveyed,
  emit: Run["emit"],
): Promise<Surveyed["serving"]> {
  let finished = false;
  for (const one of seen.unfinished.filter(({ set }) => set !== undefined)) {
    emit({
      type: "waiting",
      what: `re-founding ${one.id}, which was left ${one.decided ? "decided" : "undecided"}`,
    });
    const options = { one, members: deps.members(), storePort: deps.storePort, lost: true };
    const resolved = await resolve(deps.ask, seen, options);
    finished = finished || resolved.finished;
  }
  return finished ? (await survey(deps.ask, deps.members())).serving : undefined;
}

/** The complete store is here, and waits for a peer to confirm that there is no newer one. The operator confirms it instead. */
async function reopen(
  deps: ReplaceDeps,
  {
    request,
    generation,
    left,
    emit,
  }: {
    readonly request: StoreRecover;
    readonly generation: number;
    readonly left: readonly string[];
    readonly emit: Run["emit"];
  },
): Promise<StorePlan | StoreMoved> {
  const place = { generation, machines: sorted(left) };
  const plan: StorePlan = {
    ...{ kind: "store-plan", action: "recover", changes: true, from: place, to: place, unfinished: [] },
    warnings: [
      "no other machine answers: if the store was recovered on one of them meanwhile, this creates a second store",
    ],
  };
  if (!sameSet(left, [deps.self]) || deps.opened()) throw stillThere(generation, left);
  emit({ type: "store-plan", plan });
  if (request.preview === true) return plan;
  await deps.open();
  return {
    ...{ kind: "store-moved", action: "recover", changed: true, generation, pauseMs: 0 },
    ...{ machines: place.machines, previous: place.machines, notOpen: [], notRetired: [], unaware: [] },
  };
}

/**
 * Skips generation numbers: an unknown re-founding may have opened the next one on lost machines, and must be older if they come back. The
 * ports must also differ from those of the old set's remains.
 */
export const recoveredGeneration = (newest: number, old: number): number =>
  (newest + 2 - old) % 2 === 0 ? newest + 3 : newest + 2;

const stillThere = (generation: number, machines: readonly string[]) =>
  new PloyzError({
    code: "store_not_lost",
    message: `the store (generation ${generation}) still exists on ${machines.join(", ")}`,
    hint: "a recovery would lose its data; check it: ployzctl store status; if a daemon is down, run there: ployzctl daemon install",
  });
