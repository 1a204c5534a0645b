import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { COMMANDS } from "../src/commands/index.ts";
import { ENVIRONMENT } from "../src/environment.ts";
import { GROUPS } from "../src/groups.ts";
import { reference } from "../src/output/reference.ts";
import { jsonSchema } from "../src/schema.ts";

const docs = join(import.meta.dirname, "../../../docs");

/** Updated by `pnpm --filter @ployz/ployzctl docs`. */
it("docs/cli.md is generated from the command definitions", async () => {
  await expect(reference(GROUPS, COMMANDS)).toMatchFileSnapshot(join(docs, "cli.md"));
});

/** `pnpm --filter @ployz/ployzctl docs` writes it. */
it("the published JSON Schema is that of the documents", async () => {
  const file = join(import.meta.dirname, "../schema/ployzctl.schema.json");
  if (process.env.UPDATE_SCHEMA) await writeFile(file, jsonSchema());
  expect(JSON.parse(await readFile(file, "utf8"))).toEqual(JSON.parse(jsonSchema()));
});

/** Set by ployzd for its own processes; not for operators. */
const INTERNAL = ["PLOYZ_CONFIG_DIGEST", "PLOYZ_BUILD"];

it("every variable that the programs read is documented", async () => {
  const root = join(import.meta.dirname, "../../..");
  const read = new Set<string>();
  for (const app of ["ployzctl", "ployzd"]) {
    const src = join(root, "apps", app, "src");
    for (const name of await readdir(src, { recursive: true })) {
      if (!/(?<!\.test)\.ts$/.test(name)) continue;
      const text = await readFile(join(src, name), "utf8");
      for (const [, variable = ""] of text.matchAll(/\b(?:env\.|process\.env\.)(PLOYZ_[A-Z_]+)/g))
        read.add(variable);
    }
  }
  const documented = Object.keys(ENVIRONMENT).filter((name) => name.startsWith("PLOYZ_"));
  expect([...read].filter((name) => !INTERNAL.includes(name)).sort()).toEqual(documented.sort());
});
