import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { COMMANDS } from "../src/commands/index.ts";
import { reference } from "../src/output/reference.ts";

const docs = join(import.meta.dirname, "../../../docs");

/** Written anew by `pnpm --filter @ployz/ployzctl docs`. */
it("docs/cli.md is what the commands are", async () => {
  await expect(reference(COMMANDS)).toMatchFileSnapshot(join(docs, "cli.md"));
});

it("docs/errors.md has every code of this program", async () => {
  const text = await readFile(join(docs, "errors.md"), "utf8");
  const src = join(import.meta.dirname, "../src");
  const files = (await readdir(src, { recursive: true })).filter((name) => /(?<!\.test)\.ts$/.test(name));
  const sources = await Promise.all(files.map((name) => readFile(join(src, name), "utf8")));
  const codes = new Set(
    sources.flatMap((source) => [...source.matchAll(/code: "([a-z0-9_]+)"/g)].map(([, code]) => code)),
  );
  expect([...codes].filter((code) => !text.includes(`\`${code}\``))).toEqual([]);
});
