import type { Json } from "../model/json.ts";
import type { EngineDeps, RegisteredPrimitive } from "./deps.ts";
import { openJournal } from "./journal.ts";
import { acquireLeases, askRunning, busy, ENDING_MS, type LeaseKeeper } from "./leases.ts";
import type { Limits } from "./limits.ts";
import type { Unfinished } from "./predecessors.ts";
import type { Session } from "./session.ts";

/** One call of `runOperation` after its input was parsed. */
export interface Run {
  readonly registered: RegisteredPrimitive;
  readonly input: Json;
  readonly deps: EngineDeps;
  readonly limits: Limits;
  /** New for each run: the operation's id unless it resumes another, and the mark of this run's journal entries. */
  readonly id: string;
  /** Only a plan with this hash is applied. */
  readonly expected?: string;
}

export function hold(
  run: Run,
  scopes: readonly [string, ...string[]],
  operation: string,
): Promise<LeaseKeeper> {
  const { deps, limits, registered } = run;
  return acquireLeases(scopes, {
    leases: registered.ports.store.leases,
    machines: registered.ports.machines,
    clock: deps.clock,
    holder: { operation, machine: deps.self.machine },
    ttlMs: limits.leaseTtlMs,
    askHolderMs: limits.askHolderMs,
    signal: deps.signal,
    waiting: (what) => deps.emit({ type: "waiting", what }),
  });
}

/** Refuses with `scope_busy` if this daemon runs the operation; waits for one that only ends. Checked before this run is accepted under the same id: from then on the daemon would report this very run. */
export async function notRunningHere(
  { deps, limits, registered }: Run,
  scope: string,
  operation: string,
): Promise<void> {
  const holder = { operation, machine: deps.self.machine };
  const { signal } = deps;
  const ask = { machines: registered.ports.machines, askHolderMs: limits.askHolderMs, signal };
  const until = deps.clock.now() + ENDING_MS;
  for (;;) {
    const running = await askRunning(ask, holder);
    if (running === true || (running === "ending" && deps.clock.now() >= until))
      throw busy({ scope, holder }, true);
    if (running !== "ending" || signal.aborted) return;
    await deps.clock.sleep(1_000, signal);
  }
}

/** A session on an unfinished operation, or on a new one with this id. */
export function sessionFor(
  run: Run,
  { primitive, ports }: RegisteredPrimitive,
  keeper: LeaseKeeper,
  on: Unfinished | string,
  givenUp: readonly string[] = [],
): Session {
  const { deps, limits, id } = run;
  const { clock, signal } = deps;
  const [operation, entries] = typeof on === "string" ? [on, []] : [on.record.operation, on.entries];
  const journal = openJournal({
    store: ports.store.journals,
    ...{ operation, entries, clock },
    run: id,
    rideMs: limits.storeRideMs,
    lost: keeper.lost,
  });
  const resumed = typeof on !== "string";
  const fresh = { silent: new Set<string>(), givenUp: new Set(givenUp), lost: [] };
  return { primitive, ports, journal, keeper, deps, clock, limits, resumed, signal, ...fresh };
}
