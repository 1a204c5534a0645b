import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";

const near = (path: string) => readFile(new URL(path, import.meta.url), "utf8");

it.each(["volume", "copy"])("the README shows the example that the lab runs: %s", async (name) => {
  const [readme, example] = await Promise.all([near("../README.md"), near(`../examples/${name}.ts`)]);
  expect(readme).toContain(`\`\`\`ts\n${example}\`\`\``);
});
