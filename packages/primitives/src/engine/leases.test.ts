import { PloyzError } from "@ployz/errors";
import { expect, it } from "vitest";
import { createVirtualClock } from "../testing/clock.ts";
import { createMemoryMachines } from "../testing/memory-machines.ts";
import { createMemoryStore } from "../testing/memory-store.ts";
import { acquireLeases } from "./leases.ts";

const TTL_MS = 15_000;

/** A lease of which every renewal from `fromMs` to `toMs` is answered after 5.5 s, with an error. */
async function slow(fromMs: number, toMs: number) {
  const clock = createVirtualClock();
  const store = createMemoryStore({ clock });
  const began = clock.now();
  const passed = () => clock.now() - began;
  const keeper = await acquireLeases(["deploy.prod"], {
    leases: {
      ...store.leases,
      // The store keeps it: only the answer is late.
      async renew(lease) {
        if (passed() < fromMs || passed() > toMs) return lease;
        await clock.sleep(5_500);
        throw new PloyzError({ code: "store_unavailable", message: "no answer in time" });
      },
    },
    machines: createMemoryMachines({ clock, machines: ["m1"], facts: store.facts }),
    ...{ clock, holder: { operation: "01X", machine: "m1" }, ttlMs: TTL_MS, askHolderMs: 1_000 },
    ...{ signal: new AbortController().signal, waiting() {} },
  });
  return { clock, keeper };
}

it("a lease is kept that the store has, when its answers come late for longer than its time", async () => {
  const { clock, keeper } = await slow(1, 14_000);
  await clock.sleep(60_000);
  expect(keeper.lost.aborted).toBe(false);
  expect(await keeper.ensure()).toBe(true);
  await keeper.release();
});

it("a lease is lost within 5 s of its time when the store does not answer", async () => {
  const { clock, keeper } = await slow(1, 90_000);
  await clock.sleep(15_000 + 5_000);
  expect(keeper.lost.aborted).toBe(true);
  await keeper.release();
});
