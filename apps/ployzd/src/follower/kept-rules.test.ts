import { pino } from "pino";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { POLICY_CHECK_MS } from "../mesh/substrate.ts";
import { keepRules } from "./kept-rules.ts";

/** A packet filter that holds one text. */
function open() {
  let filter = "";
  let wanted: readonly number[] | undefined;
  const applied: (readonly number[])[] = [];
  let broken = false;
  const rules = keepRules<readonly number[]>({
    name: "ports",
    wanted: () => wanted,
    ports: () => wanted ?? [],
    apply: (now) => {
      if (broken) return Promise.reject(new Error("no nft"));
      applied.push(now);
      filter = now.join(" ");
      return Promise.resolve(filter);
    },
    printed: () => Promise.resolve(filter),
    log: pino({ level: "silent" }),
  });
  return {
    ...{ rules, applied },
    want: (next: readonly number[]) =>
      rules.apply(() => {
        wanted = next;
      }),
    flush: () => {
      filter = "";
    },
    setBroken: (is: boolean) => {
      broken = is;
    },
  };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it("applies rules when they change, and none before they are known", async () => {
  const { rules, applied, want } = open();
  await rules.apply(() => {});
  expect(applied).toEqual([]);
  await want([1]);
  await want([1]);
  await want([1, 2]);
  expect(applied).toEqual([[1], [1, 2]]);
  rules.close();
});

it("rules that another program changed are away until they are put back", async () => {
  const { rules, applied, want, flush } = open();
  const there = () => rules.view((state) => state.there);
  await want([1]);
  await vi.advanceTimersByTimeAsync(POLICY_CHECK_MS);
  expect(applied).toEqual([[1]]);
  expect(await there()).toBe(true);
  flush();
  expect(await there()).toBe(false);
  await vi.advanceTimersByTimeAsync(POLICY_CHECK_MS);
  expect(applied).toEqual([[1], [1]]);
  expect(await there()).toBe(true);
  rules.close();
  flush();
  await vi.advanceTimersByTimeAsync(3 * POLICY_CHECK_MS);
  expect(applied).toHaveLength(2);
});

it("names a failure, and tries again", async () => {
  const { rules, applied, want, setBroken } = open();
  setBroken(true);
  await want([1]);
  expect(rules.failed()).toBe("no nft");
  setBroken(false);
  await vi.advanceTimersByTimeAsync(POLICY_CHECK_MS);
  expect(rules.failed()).toBeUndefined();
  expect(applied).toEqual([[1]]);
  rules.close();
});
