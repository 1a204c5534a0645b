import { expect, it } from "vitest";
import { toEnd } from "./old-workers.ts";

const worker = (pid: number, busy: boolean) => ({ pid, busy });

it("ends workers beyond the bound: those without requests first, then the oldest", () => {
  const newestFirst = [worker(5, true), worker(4, false), worker(3, true), worker(2, false), worker(1, true)];
  expect(toEnd(newestFirst, 5)).toEqual([]);
  expect(toEnd(newestFirst, 4)).toEqual([2]);
  expect(toEnd(newestFirst, 3)).toEqual([2, 4]);
  expect(toEnd(newestFirst, 1)).toEqual([2, 4, 1, 3]);
});
