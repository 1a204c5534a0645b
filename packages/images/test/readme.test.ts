import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";

const near = (path: string): Promise<string> => readFile(new URL(path, import.meta.url), "utf8");

it("runs the example of the README", async () => {
  expect((await near("../README.md")).match(/```ts\n([\s\S]*?)```/)?.[1]).toBe(
    await near("../examples/store.ts"),
  );
  const { problem, store } = await import("../examples/store.ts");
  expect(problem).toBe("registry_unreachable");
  expect(await store.entries()).toEqual([]);
});
