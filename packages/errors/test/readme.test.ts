import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";

const near = (path: string): Promise<string> => readFile(new URL(path, import.meta.url), "utf8");

it("runs the example of the README", async () => {
  expect((await near("../README.md")).match(/```ts\n([\s\S]*?)```/)?.[1]).toBe(
    await near("../examples/errors.ts"),
  );
  const { body, exit } = await import("../examples/errors.ts");
  expect(exit).toBe(3);
  expect(body).toEqual({
    code: "file_unreadable",
    message: "/etc/ployz/config.toml cannot be read",
    hint: "check the file's owner and mode",
    details: { path: "/etc/ployz/config.toml" },
  });
});
