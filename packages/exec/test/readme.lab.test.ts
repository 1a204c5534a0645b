import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";

const near = (path: string) => readFile(new URL(path, import.meta.url), "utf8");

it("runs the example of the README", async () => {
  const shown = /```ts\n([\s\S]*?)```/.exec(await near("../README.md"))?.[1];
  expect(shown).toBe(await near("../examples/sleeper.ts"));
  const { again, ended, first, stdout } = await import("../examples/sleeper.ts");
  expect({ again, ended, first, stdout }).toEqual({
    again: "unchanged",
    ended: true,
    first: "started",
    stdout: "$(date) ; rm -rf /\n",
  });
});
