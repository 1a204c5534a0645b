import { expect, test } from "vitest";
import { createBackoff, pause } from "./pause.ts";

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

test("pauses double up to the longest, and start again after a success", async () => {
  const backoff = createBackoff(40, 80);
  for (const ms of [40, 80, 80]) expect(await timed(() => backoff.pause())).toBeGreaterThan(ms - 2);
  expect(await timed(() => backoff.pause(undefined, 0))).toBeLessThan(60);
  backoff.reset();
  expect(await timed(() => backoff.pause())).toBeLessThan(80);
});

test("an abort ends a pause early, without an error", async () => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 10);
  expect(await timed(() => pause(60_000, stop.signal))).toBeLessThan(10_000);
  expect(await timed(() => pause(60_000, stop.signal))).toBeLessThan(10_000);
});
