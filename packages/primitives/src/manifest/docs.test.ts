import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { parseManifest } from "./parse.ts";
import { ManifestSchema } from "./schema.ts";

const page = await readFile(new URL("../../../../docs/manifest.md", import.meta.url), "utf8");

test("the example of the reference is a good manifest", () => {
  const example = /```toml\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
  expect(parseManifest(example, "toml")).toMatchObject({ ok: true });
});

test("the reference names every field", () => {
  const fields = new Set<string>();
  const visit = (schema: unknown): void => {
    if (typeof schema !== "object" || schema === null) return;
    for (const [key, value] of Object.entries(schema)) {
      if (key === "properties") for (const field of Object.keys(value as object)) fields.add(field);
      visit(value);
    }
  };
  visit(ManifestSchema);
  const missing = [...fields].filter((field) => !new RegExp(`\`(\\{ )?${field}[\` :]`).test(page));
  expect(missing).toEqual([]);
});
