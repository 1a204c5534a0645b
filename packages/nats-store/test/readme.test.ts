import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";

it("the README shows the example that the lab runs", async () => {
  const [readme, example] = await Promise.all(
    ["../README.md", "../examples/one-store.ts"].map((path) =>
      readFile(new URL(path, import.meta.url), "utf8"),
    ),
  );
  expect(readme).toContain(`\`\`\`ts\n${example}\`\`\``);
});
