import type { ErrorBody } from "@ployz/errors";
import { errorBody } from "@ployz/errors";
import type { StoreEvent, StoreMoved, StorePlan } from "@ployz/primitives/client";
import type { Lease, MachineRecord, Store } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import type { AskPeer } from "../peers/ask.ts";
import type { Parcel, StorePlace } from "../peers/commands.ts";
import { type Founding, found } from "./found.ts";
import { remoteMachine, resolve, type Surveyed, setOf, survey } from "./survey.ts";
import { sameSet, sorted, type Wanted } from "./wanted.ts";

/** Dependencies of a coordinator on its daemon. */
export interface StoreDeps {
  readonly self: string;
  readonly storePort: number;
  readonly store: Store;
  readonly ask: AskPeer;
  members(): readonly MachineRecord[];
  /** Switches this daemon to that store. */
  moved(place: StorePlace): void;
  newId(): string;
  log(error: unknown): void;
}

export interface MoveRequest {
  readonly action: StorePlan["action"];
  wanted(present: readonly string[], members: readonly string[]): Wanted;
  readonly preview: boolean;
}

/** A refusal, before any change. */
export class Refused extends Error {
  readonly refusals: readonly ErrorBody[];
  constructor(refusals: readonly ErrorBody[]) {
    super(refusals.map(({ message }) => message).join("; "));
    this.refusals = refusals;
  }
}

/**
 * Moves the store to other machines. Not a journaled operation: the journal is inside the store. The records on the machines are the
 * journal (see ADR 14), so the same command on any machine finishes an interrupted move, or abandons it and starts again.
 */
export async function moveStore(
  deps: StoreDeps,
  request: MoveRequest,
  { id, emit }: { readonly id: string; emit(event: StoreEvent): void },
): Promise<StorePlan | StoreMoved> {
  const members = deps.members();
  const seen = await settled(deps, request.preview, emit);
  const { serving } = seen;
  // A newer generation exists elsewhere: the open one here is an old server that came back.
  if (serving === undefined || newestHeard(seen) > serving.generation) throw noStore(seen);
  const present = sorted(setOf(seen.looks, serving.generation));
  const wanted = request.wanted(
    present,
    members.map((one) => one.id),
  );
  if (wanted.refusals.length > 0) throw new Refused(wanted.refusals);
  const generation = serving.generation + 1;
  const changes = !sameSet(present, wanted.machines);
  const plan: StorePlan = {
    ...{ kind: "store-plan", action: request.action, changes },
    from: { generation: serving.generation, machines: present },
    to: changes
      ? { generation, machines: wanted.machines }
      : { generation: serving.generation, machines: present },
    unfinished: seen.unfinished.map(({ id: one, decided }) => ({ id: one, decided })),
    warnings: changes ? warnings(seen, present, wanted.machines) : [],
  };
  emit({ type: "store-plan", plan });
  if (changes) await needFit(deps, seen, wanted.machines, generation);
  if (request.preview) return plan;
  if (!changes) {
    const servers = serving.servers;
    const unaware = await tell(deps, { generation: serving.generation, servers });
    return {
      ...{ kind: "store-moved", action: request.action, changed: false, generation: serving.generation },
      ...{ machines: present, previous: present, pauseMs: 0, notOpen: [], notRetired: [], unaware },
    };
  }
  const lease = await hold(deps, id);
  const founding: Founding = {
    ...{ id, storePort: deps.storePort, members: null },
    from: { generation: serving.generation, machines: present },
    to: { generation, machines: members.filter((one) => wanted.machines.includes(one.id)) },
    parcel: (fenced, to) => copyFrom(deps.ask, fenced, serving.generation, to),
  };
  return conclude(deps, { founding, action: request.action, emit, lease });
}

/** Founds the new generation, notifies all members, stops the old servers. */
export async function conclude(
  deps: StoreDeps,
  {
    founding,
    action,
    emit,
    lease,
  }: {
    readonly founding: Founding;
    readonly action: StoreMoved["action"];
    readonly lease: Lease | undefined;
    emit(event: StoreEvent): void;
  },
): Promise<StoreMoved> {
  const release = async () => {
    if (lease !== undefined) await deps.store.leases.release(lease).catch(deps.log); // it expires
  };
  try {
    const { pauseMs, generation, servers, notOpen, notRetired } = await found(deps.ask, founding, emit);
    const unaware = await tell(deps, { generation, servers });
    await Promise.all(
      founding.from.machines.map((name) =>
        remoteMachine(deps.ask, name).stop(founding.from.generation).catch(deps.log),
      ),
    );
    return {
      ...{ kind: "store-moved", action, changed: true, generation, pauseMs, notOpen, notRetired, unaware },
      machines: sorted(founding.to.machines.map(({ id }) => id)),
      previous: sorted(founding.from.machines),
    };
  } finally {
    await release();
  }
}

/** Notifies each member; resolves with those that do not answer, which learn it from another one. */
export async function tell(deps: StoreDeps, place: StorePlace): Promise<readonly string[]> {
  deps.moved(place);
  const told = await Promise.all(
    deps.members().map(async ({ id }) => {
      return deps.ask(id, "store.moved", { ...place }).then(
        () => [],
        () => [id],
      );
    }),
  );
  return sorted(told.flat());
}

/** Surveys the store, and finishes another coordinator's interrupted move. A preview only surveys. */
export async function settled(
  deps: StoreDeps,
  preview: boolean,
  emit: (event: StoreEvent) => void,
): Promise<Surveyed> {
  for (let rounds = 0; ; rounds++) {
    const seen = await survey(deps.ask, deps.members());
    for (const [machine, { coordinating }] of Object.entries(seen.looks))
      if (coordinating !== null && machine !== deps.self) throw busy(machine, coordinating);
    const one = seen.unfinished.find(({ decided }) => decided) ?? seen.unfinished[0];
    if (one === undefined && !preview) await catchUp(deps, seen, emit);
    if (one === undefined || preview || rounds === 5) return seen;
    emit({
      type: "waiting",
      what: `re-founding ${one.id}, which was left ${one.decided ? "decided" : "undecided"}`,
    });
    const { finished } = await resolve(deps.ask, seen, {
      ...{ one, members: deps.members(), storePort: deps.storePort },
    });
    const after = await survey(deps.ask, deps.members());
    if (finished && after.serving !== undefined) {
      await tell(deps, after.serving);
      const old = one.closed;
      for (const name of old?.machines ?? [])
        await remoteMachine(deps.ask, name)
          .stop(old?.generation ?? 0)
          .catch(deps.log);
    }
    emit({ type: "waiting", what: `${one.id} is ${finished ? "finished" : "given up"}` });
  }
}

/** A coordinator that died right after opening the new store has notified no member. */
async function catchUp(
  deps: StoreDeps,
  { serving, looks }: Surveyed,
  emit: (event: StoreEvent) => void,
): Promise<void> {
  if (serving === undefined) return;
  if (Object.values(looks).every(({ view }) => view.generation >= serving.generation)) return;
  emit({ type: "waiting", what: `switch every machine to generation ${serving.generation} of the store` });
  await tell(deps, serving);
}

export async function copyFrom(
  ask: AskPeer,
  fenced: readonly string[],
  generation: number,
  to: string,
): Promise<Parcel> {
  let last: unknown;
  for (const machine of fenced) {
    try {
      return await ask(machine, "store.copy", { generation, to });
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

/** Every target must be able to run a server of that generation. @throws Refused */
export async function needFit(
  deps: StoreDeps,
  seen: Surveyed,
  targets: readonly string[],
  generation: number,
): Promise<void> {
  const refusals = await Promise.all(
    targets.map(async (machine): Promise<readonly ErrorBody[]> => {
      const silent = seen.silent[machine];
      if (silent !== undefined) return [{ ...silent, machine }];
      try {
        const { problems } = await deps.ask(machine, "store.ready", { generation });
        return problems.map((problem) => ({
          code: "store_machine_unfit",
          message: `${machine} cannot hold the store: ${problem}`,
          hint: "fix that, or name another machine",
          machine,
        }));
      } catch (error) {
        return [{ ...errorBody(error), machine }];
      }
    }),
  );
  if (refusals.flat().length > 0) throw new Refused(refusals.flat());
}

const newestHeard = ({ looks }: Surveyed): number =>
  Math.max(0, ...Object.values(looks).map(({ view }) => view.generation));

const LEASE_MS = 60_000;

/** Takes the lease `store` while no operation runs: an operation would have to wait out the pause. */
export async function hold(deps: StoreDeps, operation: string): Promise<Lease> {
  const { leases } = deps.store;
  const acquire = () => leases.acquire("store", { operation, machine: deps.self }, LEASE_MS);
  let result = await acquire();
  if (!result.acquired && (await hasDied(deps, result.held.holder))) {
    await leases.release(result.held);
    result = await acquire();
  }
  if (!result.acquired) throw busy(result.held.holder.machine, result.held.holder.operation);
  const others = (await leases.list()).filter(({ scope }) => scope !== "store");
  if (others.length === 0) return result.lease;
  await leases.release(result.lease);
  throw new Refused(
    others.map(({ scope, holder }) => ({
      code: "scope_busy",
      message: `operation ${holder.operation} on machine ${holder.machine} holds ${scope}`,
      hint: `wait for it to finish: ployzctl ops watch ${holder.operation}`,
      machine: holder.machine,
      operationId: holder.operation,
    })),
  );
}

/** Its daemon answers and does not run that move: it has restarted since. Its remains are settled already. */
async function hasDied(deps: StoreDeps, { machine, operation }: Lease["holder"]): Promise<boolean> {
  if (machine === deps.self) return true; // this daemon runs one at a time, and this is it
  return deps.ask(machine, "store.look", null).then(
    ({ coordinating }) => coordinating !== operation,
    () => false,
  );
}

const busy = (machine: string, id: string) =>
  new PloyzError({
    code: "scope_busy",
    message: `${machine} is moving the store (${id})`,
    hint: "wait until it has finished: ployzctl store status",
  });

export const noStore = ({ silent }: Surveyed) =>
  new PloyzError({
    code: "store_unavailable",
    message: `no machine that answers holds an open store${Object.keys(silent).length > 0 ? `; ${sorted(Object.keys(silent)).join(", ")} did not answer` : ""}`,
    hint: "start its machines again; if they are lost permanently: ployzctl store recover",
  });

function warnings(seen: Surveyed, present: readonly string[], wanted: readonly string[]): readonly string[] {
  const away = present.filter((id) => seen.silent[id] !== undefined);
  return [
    ...(away.length > 0 ? [`${away.join(", ")} does not answer: its old server is skipped`] : []),
    ...(wanted.length === 1 && present.length > 1 ? [`only ${wanted[0]} will hold the store`] : []),
  ];
}
