import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";

const top = join(import.meta.dirname, "..");

it("the README shows the example that the lab tests run", async () => {
  const example = await readFile(join(top, "examples/power-cut.ts"), "utf8");
  expect(await readFile(join(top, "README.md"), "utf8")).toContain(`\`\`\`ts\n${example}\`\`\``);
});
