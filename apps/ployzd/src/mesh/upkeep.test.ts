import { expect, it } from "vitest";
import { type Kept, openUpkeep } from "./upkeep.ts";

const nothing: Kept = { repaired: [], remaining: [] };

it("counts what it put right, and logs a lasting fault once", async () => {
  const found: (Kept | Error)[] = [
    nothing,
    { repaired: ["route"], remaining: [] },
    { repaired: ["route"], remaining: ["filter"] },
    { repaired: [], remaining: ["filter"] },
    new Error("nft is missing"),
  ];
  const logged: Kept[] = [];
  const stop = new AbortController();
  const upkeep = openUpkeep({
    async keep() {
      const next = found.shift() ?? nothing;
      if (next instanceof Error) throw next;
      return next;
    },
    ...{ signal: stop.signal, everyMs: 60_000, now: () => 0, log: (kept: Kept) => logged.push(kept) },
  });
  for (let n = 0; n < 5; n++) await upkeep.look();
  expect(upkeep.drift()).toMatchObject([{ what: "route", times: 2 }]);
  expect(logged).toEqual([
    { repaired: ["route"], remaining: [] },
    { repaired: ["route"], remaining: ["filter"] },
    { repaired: [], remaining: ["nft is missing"] },
  ]);
  stop.abort();
  await upkeep.ended;
});

it("looks by itself until the daemon ends", async () => {
  const stop = new AbortController();
  let looks = 0;
  const upkeep = openUpkeep({
    keep: async () => {
      looks += 1;
      return nothing;
    },
    ...{ signal: stop.signal, everyMs: 5, now: () => 0, log: () => {} },
  });
  await expect.poll(() => looks).toBeGreaterThan(2);
  stop.abort();
  await upkeep.ended;
});
