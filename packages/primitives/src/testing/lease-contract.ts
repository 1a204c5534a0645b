import type { AcquireResult, Lease, Store } from "../ports/store.ts";
import type { TestApi } from "./contract.ts";

type Test = (
  name: string,
  body: (store: Store, sleep: (ms: number) => Promise<void>) => Promise<void>,
) => void;

const holder = (operation: string) => ({ operation, machine: "m1" });

function won(result: AcquireResult): Lease {
  if (!result.acquired) throw new Error(`the lease is held by ${result.held.holder.operation}`);
  return result.lease;
}

export function leaseContract(
  test: Test,
  { describe, expect }: TestApi,
  unique: (word: string) => string,
): void {
  describe("store contract: leases", () => {
    test("a held scope names its holder", async ({ leases }) => {
      const scope = unique("deploy.ns");
      const lease = won(await leases.acquire(scope, holder("op1"), 5_000));
      const other = await leases.acquire(scope, holder("op2"), 5_000);
      expect(other).toMatchObject({ acquired: false, held: { holder: holder("op1"), fence: lease.fence } });
      expect((await leases.get(scope))?.holder).toEqual(holder("op1"));
      await leases.release(lease);
      expect(await leases.get(scope)).toBeUndefined();
    });

    test("one of many at once wins", async ({ leases }) => {
      const scope = unique("deploy.ns");
      const all = await Promise.all([1, 2, 3, 4].map((n) => leases.acquire(scope, holder(`op${n}`), 5_000)));
      expect(all.filter(({ acquired }) => acquired).length).toBe(1);
    });

    test("the fence stays through renewals and rises with every holder", async ({ leases }) => {
      const scope = unique("deploy.ns");
      const first = won(await leases.acquire(scope, holder("op1"), 5_000));
      const renewed = await leases.renew(first);
      expect(renewed?.fence).toBe(first.fence);
      if (renewed) await leases.release(renewed);
      const second = won(await leases.acquire(scope, holder("op2"), 5_000));
      expect(second.fence).toBeGreaterThan(first.fence);
      await leases.release(second);
    });

    test("expires without renewal, and can then not be renewed or released", async ({ leases }, sleep) => {
      const scope = unique("deploy.ns");
      const first = won(await leases.acquire(scope, holder("op1"), 1_000));
      await sleep(2_500);
      expect(await leases.get(scope)).toBeUndefined();
      const second = won(await leases.acquire(scope, holder("op2"), 5_000));
      expect(await leases.renew(first)).toBeUndefined();
      await leases.release(first);
      expect((await leases.get(scope))?.holder).toEqual(holder("op2"));
      await leases.release(second);
    });

    test("lives as long as it is renewed", async ({ leases }, sleep) => {
      const scope = unique("deploy.ns");
      let lease: Lease | undefined = won(await leases.acquire(scope, holder("op1"), 2_000));
      for (let n = 0; n < 3 && lease !== undefined; n++) {
        await sleep(1_000);
        lease = await leases.renew(lease);
      }
      expect((await leases.get(scope))?.holder).toEqual(holder("op1"));
      if (lease !== undefined) await leases.release(lease);
    });

    test("whenFree waits for a release", async ({ leases }) => {
      const scope = unique("deploy.ns");
      const lease = won(await leases.acquire(scope, holder("op1"), 60_000));
      const free = leases.whenFree(scope, new AbortController().signal);
      await leases.release(lease);
      await free;
      expect(await leases.get(scope)).toBeUndefined();
    });

    test("whenFree waits for an expiry, and ends when it is aborted", async ({ leases }) => {
      const scope = unique("deploy.ns");
      await leases.acquire(scope, holder("op1"), 1_000);
      await leases.whenFree(scope, new AbortController().signal);
      expect(await leases.get(scope)).toBeUndefined();
      const lease = won(await leases.acquire(scope, holder("op2"), 60_000));
      const stop = new AbortController();
      const waiting = leases.whenFree(scope, stop.signal);
      stop.abort();
      await waiting;
      await leases.release(lease);
    });

    test("all that are held are listed", async ({ leases }) => {
      const scope = unique("deploy.ns");
      const lease = won(await leases.acquire(scope, holder("op1"), 5_000));
      expect((await leases.list()).filter((one) => one.scope === scope).length).toBe(1);
      await leases.release(lease);
      expect((await leases.list()).filter((one) => one.scope === scope).length).toBe(0);
    });
  });
}
