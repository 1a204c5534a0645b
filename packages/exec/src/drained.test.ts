import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import { drained } from "./drained.ts";

const full = (): PassThrough => {
  const stream = new PassThrough({ highWaterMark: 1 });
  expect(stream.write("xx")).toBe(false);
  return stream;
};

it.each<[string, (stream: PassThrough) => unknown]>([
  ["is read", (stream) => stream.resume()],
  ["is destroyed", (stream) => stream.destroy()],
])("a writer continues when its full stream %s", async (_, change) => {
  const stream = full();
  const waiting = drained(stream);
  change(stream);
  await waiting;
  expect(stream.listenerCount("drain")).toBe(0);
});

it("a writer does not wait for a stream that was destroyed before", async () => {
  const stream = full();
  stream.destroy();
  await drained(stream);
});
