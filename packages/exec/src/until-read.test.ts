import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { spawnStream } from "./run.ts";
import { untilRead } from "./until-read.ts";

test("the output of a program that has ended long ago is there for its first reader", async () => {
  const program = spawnStream("sh", ["-c", "echo out; echo err >&2"]);
  const streams = [untilRead(program.stdout), untilRead(program.stderr)] as const;
  await program.done;
  await delay(20);
  expect(await Promise.all(streams.map((stream) => text(stream)))).toEqual(["out\n", "err\n"]);
});

test("a reader that leaves ends the program's pipe", async () => {
  const program = spawnStream("sh", ["-c", "yes 2>/dev/null; echo ended >&2"]);
  const output = untilRead(program.stdout);
  for await (const _ of output) break;
  expect((await program.done).stderr).toBe("ended\n");
});
