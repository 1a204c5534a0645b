import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";

it.each(["one-store", "move-store"])("the README shows the example %s that the lab runs", async (name) => {
  const [readme, example] = await Promise.all(
    ["../README.md", `../examples/${name}.ts`].map((path) =>
      readFile(new URL(path, import.meta.url), "utf8"),
    ),
  );
  expect(readme).toContain(`\`\`\`ts\n${example}\`\`\``);
});
