import { expect, it } from "vitest";
import { batched } from "./batch.ts";

it("asks once for all that came while the last call ran, and gives each its own answer", async () => {
  const calls: (readonly number[])[] = [];
  const double = batched(async (keys: readonly number[]) => {
    calls.push(keys);
    await new Promise(setImmediate);
    return keys.map((key) => key * 2);
  });
  expect(await Promise.all([1, 2, 3, 4].map(double))).toEqual([2, 4, 6, 8]);
  expect(calls).toEqual([[1], [2, 3, 4]]);
  expect(await double(5)).toBe(10);
});

it("fails those of the failed call alone", async () => {
  const ask = batched(async (keys: readonly string[]) => {
    await new Promise(setImmediate);
    if (keys.includes("bad")) throw new Error("no answer");
    return keys;
  });
  const found = await Promise.allSettled(["first", "bad", "beside"].map(ask));
  expect(found.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
  expect(await ask("later")).toBe("later");
});
