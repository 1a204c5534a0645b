import { PloyzError } from "../error-codes.ts";
import type { Machines } from "../ports/machines.ts";
import type { Lease, LeaseHolder, LeaseStore } from "../ports/store.ts";
import { abortController, type Clock, onAbort } from "./clock.ts";
import { isUnavailable, leaseLost } from "./interrupted.ts";
import { backoffMs } from "./retry.ts";

/** Leases of one run, renewed in the background until released. */
export interface LeaseKeeper {
  /** Fence of the first scope. */
  readonly fence: { readonly scope: string; readonly revision: number };
  /** Aborts, with an `Interrupted`, when a lease was lost or could not be renewed within its TTL. */
  readonly lost: AbortSignal;
  /** Renews now; false when a lease is lost. May throw `store_unavailable`. An expired local clock alone is no loss. */
  ensure(): Promise<boolean>;
  /** While true, a local expiry is no loss: the commit retries and calls `ensure`. */
  ride(on: boolean): void;
  release(): Promise<void>;
  /** Stops renewing without releasing: another runner may hold the lease under the same name. */
  abandon(): void;
}

export interface AcquireOptions {
  readonly leases: LeaseStore;
  readonly machines: Machines;
  readonly clock: Clock;
  readonly holder: LeaseHolder;
  readonly ttlMs: number;
  readonly askHolderMs: number;
  readonly signal: AbortSignal;
  waiting(what: string): void;
}

/** How much later than its TTL an expired lease may be noticed. */
const GRACE_MS = 5_000;
/** How long an expired lease waits for the store: its clock decides, and a busy machine is answered late. */
const LAST_ANSWER_MS = 3_000;
const ASK_AGAIN_MS = 1_000;
/** How long a command waits for the end of an operation that is undone or finished. */
export const ENDING_MS = 60_000;

/** Wins every scope, in the order given (sorted by the caller). Fails with `scope_busy`, `aborted` or `store_unavailable`. */
export async function acquireLeases(
  scopes: readonly [string, ...string[]],
  options: AcquireOptions,
): Promise<LeaseKeeper> {
  const state = openKeeper(options);
  try {
    for (const scope of scopes) state.add(await acquireOne(scope, options), options.clock.now());
    return state.keeper(scopes[0]);
  } catch (error) {
    await state.release();
    throw error;
  }
}

/** When the store does not say whether it has given the lease, a given one is released: the next command need not wait until it expires. */
async function acquireOrNone(scope: string, { leases, clock, holder, ttlMs }: AcquireOptions) {
  try {
    return await leases.acquire(scope, holder, ttlMs);
  } catch (error) {
    const standing = await leases.get(scope).catch(() => undefined);
    const ours =
      standing?.holder.operation === holder.operation && standing.holder.machine === holder.machine;
    if (ours) await releaseLease(leases, clock, standing);
    throw error;
  }
}

async function acquireOne(scope: string, options: AcquireOptions): Promise<Lease> {
  const { leases, clock, holder, ttlMs, signal } = options;
  // An unreachable holder is waited for until its lease must have expired. It is polled meanwhile: a killed daemon is back long
  // before that.
  let until: number | undefined;
  for (;;) {
    if (signal.aborted) throw abortedError();
    // Read first: `acquire` succeeds for a holder that has the lease already, which may be a dead run of the same operation on
    // this machine whose late commands must be fenced.
    const standing = await leases.get(scope);
    const result = standing === undefined ? await acquireOrNone(scope, options) : undefined;
    if (result?.acquired) return result.lease;
    const held = result?.held ?? standing;
    if (held === undefined) continue;
    // Held under our own name: by a dead run of this operation on this machine, else the caller would not have begun. Released, so
    // that the new lease has a higher fence.
    const { operation, machine } = held.holder;
    const ours = operation === holder.operation && machine === holder.machine;
    const running = ours ? false : await askRunning(options, held.holder);
    if (running === false) {
      await leases.release(held);
      continue;
    }
    if (running === true) throw busy(held, true);
    if (until === undefined) {
      until = clock.now() + (running === "ending" ? ENDING_MS : ttlMs + GRACE_MS);
      options.waiting(
        running === "ending"
          ? `operation ${operation}, which machine ${machine} cleans up after`
          : `the lease on ${scope}: machine ${machine} does not answer; it expires within ${Math.ceil(ttlMs / 1000)} s`,
      );
    }
    const left = until - clock.now();
    if (left <= 0) throw busy(held, running === "ending");
    await waitFree(scope, clock, options, Math.min(left, ASK_AGAIN_MS));
  }
}

/**
 * Whether the machine's daemon runs the operation now; `ending`: it only undoes or finishes it, and is worth waiting for. `undefined`: it
 * does not answer.
 */
export async function askRunning(
  options: Pick<AcquireOptions, "askHolderMs" | "signal" | "machines">,
  { operation, machine }: LeaseHolder,
): Promise<boolean | "ending" | undefined> {
  try {
    const { askHolderMs: timeoutMs, signal, machines } = options;
    const found = await machines.call(machine, "operation.running", { operation }, { timeoutMs, signal });
    return found.running && found.ending === true ? "ending" : found.running;
  } catch {
    return undefined;
  }
}

async function waitFree(scope: string, clock: Clock, options: AcquireOptions, ms: number): Promise<void> {
  const over = new AbortController();
  const unlink = onAbort(options.signal, () => over.abort());
  await Promise.race([options.leases.whenFree(scope, over.signal), clock.sleep(ms, over.signal)]);
  unlink();
  over.abort();
}

export function busy(held: Pick<Lease, "scope" | "holder">, answers: boolean): PloyzError {
  const { operation, machine } = held.holder;
  return new PloyzError({
    code: "scope_busy",
    message: answers
      ? `operation ${operation} on machine ${machine} holds ${held.scope} and is still running; this command has changed nothing`
      : `operation ${operation} holds ${held.scope}; its machine ${machine} does not answer, but its lease has not expired`,
    hint: `ployzctl ops watch ${operation}`,
    machine,
    operationId: operation,
    details: { scope: held.scope },
  });
}

export function abortedError(): PloyzError {
  return new PloyzError({ code: "aborted", message: "aborted by the operator" });
}

function openKeeper(options: AcquireOptions) {
  const { leases, clock, ttlMs, holder } = options;
  const lost = abortController();
  const stopped = new AbortController();
  let held: { lease: Lease; until: number }[] = [];
  let riding = false;
  let renewing: Promise<unknown> | undefined;

  const lose = (scope: string) => lost.abort(leaseLost(holder.operation, scope));

  const renewAll = async (): Promise<boolean> => {
    for (const [i, { lease }] of held.entries()) {
      const asked = clock.now();
      const renewed = await leases.renew(lease);
      if (renewed === undefined) {
        lose(lease.scope);
        return false;
      }
      held[i] = { lease: renewed, until: asked + ttlMs };
    }
    return !lost.signal.aborted;
  };

  // One renewal at a time: two at once would each take the other's new revision for a loss.
  let tail: Promise<unknown> = Promise.resolve();
  const serial = (): Promise<boolean> => {
    const result = tail.then(() => (stopped.signal.aborted ? false : renewAll()));
    tail = result.catch(() => {});
    return result;
  };

  const late = () => held.find(({ until }) => clock.now() >= until)?.lease;
  const checkExpiry = () => {
    const expired = late();
    if (expired !== undefined && !riding) lose(expired.scope);
  };

  const renew = () => {
    renewing ??= serial()
      .catch((error: unknown) => {
        if (!isUnavailable(error)) lose(held[0]?.lease.scope ?? "?");
      })
      .finally(() => {
        renewing = undefined;
      });
    return renewing;
  };

  /** The renewal that is under way, and one more. */
  const askOnceMore = async () => {
    const over = new AbortController();
    const answer = clock.sleep(LAST_ANSWER_MS, over.signal).then(() => "late" as const);
    for (let n = 0; n < 2 && late() !== undefined && !lost.signal.aborted; n++)
      if ((await Promise.race([renew(), answer])) === "late") break;
    over.abort();
  };

  const loop = async () => {
    while (!stopped.signal.aborted && !lost.signal.aborted) {
      await clock.sleep(ttlMs / 3, stopped.signal);
      if (stopped.signal.aborted) return;
      // Else not awaited: a missing answer must not hide the expiry.
      if (late() === undefined || riding) void renew();
      else {
        await askOnceMore();
        if (!stopped.signal.aborted) checkExpiry();
      }
    }
  };

  const stop = () => stopped.abort();

  const release = async () => {
    stop();
    await tail;
    const all = held;
    held = [];
    for (const { lease } of all.reverse()) await releaseLease(leases, clock, lease);
  };

  return {
    add(lease: Lease, now: number) {
      held.push({ lease, until: now + ttlMs });
      if (held.length === 1) void loop();
    },
    release,
    keeper(scope: string): LeaseKeeper {
      const first = held[0];
      if (first === undefined) throw new Error("no lease is held");
      return {
        fence: { scope, revision: first.lease.fence },
        lost: lost.signal,
        ensure: serial,
        ride(on) {
          riding = on;
          if (!on) checkExpiry();
        },
        release,
        abandon: stop,
      };
    },
  };
}

/** Retries a few times; a lease that cannot be released expires. */
export async function releaseLease(
  leases: Pick<LeaseStore, "release">,
  clock: Pick<Clock, "sleep">,
  lease: Lease,
): Promise<void> {
  for (let n = 0; n < 3; n++) {
    try {
      await leases.release(lease);
      return;
    } catch {
      await clock.sleep(backoffMs(n));
    }
  }
}
