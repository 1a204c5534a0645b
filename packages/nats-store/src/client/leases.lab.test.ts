import { afterAll, beforeAll, expect, it } from "vitest";
import { type Rig, startRig } from "../../test/rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.cleanup());

const holder = (operation: string, machine = "m2") => ({ operation, machine });
const never = new AbortController().signal;

it("gives a scope to one holder, keeps its fence while it renews, and hands out a higher one next", async () => {
  const [one, two] = [rig.store("m2").leases, rig.store("m3").leases];
  const won = await one.acquire("deploy.prod", holder("a"), 30_000);
  if (!won.acquired) throw new Error("not acquired");
  const lost = await two.acquire("deploy.prod", holder("b"), 30_000);
  expect(lost).toMatchObject({ acquired: false, held: { holder: holder("a"), fence: won.lease.fence } });
  const renewed = await one.renew(won.lease);
  expect(renewed?.fence).toBe(won.lease.fence);
  expect(renewed?.revision).toBeGreaterThan(won.lease.revision);
  // That renewal may have been given up on in this process: its older copy of the lease still renews. Elsewhere it is stale.
  expect(await two.renew(won.lease)).toBeUndefined();
  expect((await one.renew(won.lease))?.fence).toBe(won.lease.fence);
  expect(await one.acquire("deploy.prod", holder("a"), 30_000)).toMatchObject({
    acquired: true,
    lease: { fence: won.lease.fence },
  });
  await one.release(won.lease);
  expect(await two.get("deploy.prod")).toBeUndefined();
  const next = await two.acquire("deploy.prod", holder("b"), 30_000);
  expect(next.acquired && next.lease.fence).toBeGreaterThan(won.lease.fence);
  expect(await one.renew(won.lease)).toBeUndefined();
  await one.release(won.lease);
  expect((await one.list()).map((lease) => lease.holder.operation)).toEqual(["b"]);
});

it("has exactly one winner in 30 racing rounds", async () => {
  const stores = [rig.store("m2"), rig.store("m3"), rig.store("m1")];
  let fence = 0;
  for (let round = 0; round < 30; round += 1) {
    const results = await Promise.all(
      stores.map((store, at) => store.leases.acquire("race", holder(`${round}-${at}`), 30_000)),
    );
    const won = results.flatMap((result) => (result.acquired ? [result.lease] : []));
    expect(won).toHaveLength(1);
    expect(won[0]?.fence).toBeGreaterThan(fence);
    fence = won[0]?.fence ?? 0;
    if (won[0]) await stores[0]?.leases.release(won[0]);
  }
});

it("expires by itself, wakes who waits for it, and stays as long as it is renewed", async () => {
  const { leases } = rig.store("m2");
  const other = rig.store("m3").leases;
  const won = await leases.acquire("expiring", holder("a"), 1000);
  if (!won.acquired) throw new Error("not acquired");
  let lease = won.lease;
  const until = performance.now() + 2500;
  while (performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const renewed = await leases.renew(lease);
    if (!renewed) throw new Error("lost while renewing");
    lease = renewed;
  }
  const asked = performance.now();
  await other.whenFree("expiring", AbortSignal.timeout(10_000));
  expect(performance.now() - asked).toBeLessThan(4000);
  expect(await other.get("expiring")).toBeUndefined();
  const next = await other.acquire("expiring", holder("b", "m3"), 5000);
  expect(next.acquired && next.lease.fence).toBeGreaterThan(lease.fence);
  expect(await leases.renew(lease)).toBeUndefined();
});

it("whenFree returns at once for a free scope, on release, and on abort", async () => {
  const { leases } = rig.store("m2");
  await leases.whenFree("free", never);
  const won = await leases.acquire("busy", holder("a"), 60_000);
  const stop = new AbortController();
  const aborted = leases.whenFree("busy", stop.signal);
  const released = leases.whenFree("busy", never);
  stop.abort();
  await aborted;
  expect(await leases.get("busy")).toBeDefined();
  if (won.acquired) await leases.release(won.lease);
  await released;
});
