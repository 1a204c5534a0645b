import { mkdtemp, readdir, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogLine, Runtime } from "@ployz/runtime";
import { beforeEach, expect, it } from "vitest";
import { openEndedLogs } from "./ended-logs.ts";

const MIB = 1024 * 1024;
const line = (second: number, text: string): LogLine => ({
  time: new Date(1_000_000 + second * 1000).toISOString(),
  stream: "stdout",
  line: text,
});
/** A runtime of one ended instance. */
const runtimeWith = (lines: Iterable<LogLine>) =>
  ({
    inspect: async (id: string) => ({
      id,
      state: "exited",
      identity: "x",
      labels: { namespace: "prod", service: "web" },
    }),
    async *logs() {
      yield* lines;
    },
  }) as Partial<Runtime> as Runtime;

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ended-"));
  return () => rm(dir, { recursive: true });
});
const all = async (lines: AsyncIterable<LogLine>) => {
  const seen: string[] = [];
  for await (const one of lines) seen.push(one.line);
  return seen;
};

it("a log is there after its instance, by lines and by time", async () => {
  const logs = openEndedLogs(
    dir,
    runtimeWith([line(1, "a"), line(2, "b"), line(3, "c")]),
    { days: 1, bytes: MIB },
    Date.now,
  );
  await logs.keep("prod.web.1.abcdefgh");
  expect(await logs.list("prod", "web")).toMatchObject([{ instance: "prod.web.1.abcdefgh", service: "web" }]);
  expect([await logs.list("prod", "we"), await logs.list("pro")]).toEqual([[], []]);
  const read = (range: object) => all(logs.read("prod.web.1.abcdefgh", range));
  expect(await read({})).toEqual(["a", "b", "c"]);
  expect(await read({ tail: 2 })).toEqual(["b", "c"]);
  expect(await read({ sinceMs: 1_002_000, untilMs: 1_002_500 })).toEqual(["b"]);
  expect(await all(logs.read("../../etc/passwd", {}))).toEqual([]);
});

it("of a long log the end is kept, in order", async () => {
  const long = Array.from({ length: 500 }, (_, index) => line(index, `${index} ${"x".repeat(65_536)}`));
  const logs = openEndedLogs(dir, runtimeWith(long), { days: 1, bytes: 100 * MIB }, Date.now);
  await logs.keep("prod.web.1.abcdefgh");
  const numbers = (await all(logs.read("prod.web.1.abcdefgh", {}))).map((text) => Number.parseInt(text, 10));
  expect(numbers.at(-1)).toBe(499);
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => 500 - numbers.length + index));
  expect(numbers.length).toBeGreaterThan(100);
  expect(numbers.length).toBeLessThan(260);
});

it("old ones go, and the oldest of too many bytes", async () => {
  const lines = [line(1, "x".repeat(400))];
  const logs = openEndedLogs(dir, runtimeWith(lines), { days: 1, bytes: 1_000 }, Date.now);
  for (const [index, id] of ["a", "b", "c"].entries()) {
    await logs.keep(`prod.web.1.${id}`);
    const at = Date.now() / 1000 - (id === "a" ? 90_000 : 100 - index);
    await utimes(join(dir, `prod.web.1.${id}.ndjson`), at, at);
  }
  await logs.keep("prod.web.1.d");
  expect((await readdir(dir)).sort()).toEqual(["prod.web.1.c.ndjson", "prod.web.1.d.ndjson"]);
});
