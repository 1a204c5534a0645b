import type { Clock } from "../engine/clock.ts";
import type { Lease, LeaseStore } from "../ports/store.ts";

interface Standing {
  readonly lease: Lease;
  readonly ttlMs: number;
  readonly expiresAt: number;
}

export function createMemoryLeases(clock: Clock, next: () => number): LeaseStore {
  const leases = new Map<string, Standing>();
  const waiters = new Map<string, Set<() => void>>();

  const standing = (scope: string): Standing | undefined => {
    const found = leases.get(scope);
    if (found !== undefined && clock.now() >= found.expiresAt) {
      leases.delete(scope);
      return undefined;
    }
    return found;
  };
  const put = (lease: Lease, ttlMs: number) => {
    leases.set(lease.scope, { lease, ttlMs, expiresAt: clock.now() + ttlMs });
    return structuredClone(lease);
  };

  return {
    async acquire(scope, holder, ttlMs) {
      const held = standing(scope);
      if (held !== undefined) {
        const { lease } = held;
        const mine = lease.holder.operation === holder.operation && lease.holder.machine === holder.machine;
        return mine
          ? { acquired: true, lease: structuredClone(lease) }
          : { acquired: false, held: structuredClone(lease) };
      }
      const revision = next();
      const lease = { scope, holder: { ...holder }, fence: revision, revision };
      return { acquired: true, lease: put(lease, Math.ceil(ttlMs / 1000) * 1000) };
    },
    async renew(lease) {
      const held = standing(lease.scope);
      if (held === undefined || held.lease.revision !== lease.revision) return undefined;
      return put({ ...held.lease, revision: next() }, held.ttlMs);
    },
    async release(lease) {
      if (standing(lease.scope)?.lease.revision !== lease.revision) return;
      leases.delete(lease.scope);
      for (const wake of waiters.get(lease.scope) ?? []) wake();
    },
    get: async (scope) => structuredClone(standing(scope)?.lease),
    list: async () =>
      [...leases.keys()].sort().flatMap((scope) => {
        const held = standing(scope);
        return held === undefined ? [] : [structuredClone(held.lease)];
      }),
    async whenFree(scope, signal) {
      for (;;) {
        const held = standing(scope);
        if (held === undefined || signal.aborted) return;
        const woken = new AbortController();
        const wake = () => woken.abort();
        const all = waiters.get(scope) ?? new Set();
        waiters.set(scope, all.add(wake));
        signal.addEventListener("abort", wake, { once: true });
        await clock.sleep(held.expiresAt - clock.now(), woken.signal);
        signal.removeEventListener("abort", wake);
        all.delete(wake);
      }
    },
  };
}
