import { expect, it } from "vitest";
import { sharing } from "./shared.ts";

it("computes once for all who ask meanwhile, never gives them an older answer, and answers again after a failure", async () => {
  const ends: ((fail?: Error) => void)[] = [];
  const ask = sharing(
    () =>
      new Promise<number>((resolve, reject) => {
        const number = ends.length + 1;
        ends.push((fail) => (fail === undefined ? resolve(number) : reject(fail)));
      }),
  );
  const first = ask();
  const meanwhile = Array.from({ length: 1000 }, () => ask());
  expect(ends).toHaveLength(1);
  ends[0]?.();
  expect(await first).toBe(1);
  expect(ends).toHaveLength(2);
  const later = ask();
  ends[1]?.(new Error("away"));
  expect((await Promise.allSettled(meanwhile)).every(({ status }) => status === "rejected")).toBe(true);
  ends[2]?.();
  expect(await later).toBe(3);
  const alone = ask();
  expect(ends).toHaveLength(4);
  ends[3]?.();
  expect(await alone).toBe(4);
});
