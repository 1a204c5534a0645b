import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { LIMITS } from "../model/limits.ts";
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

test.each([
  ["1 MiB", LIMITS.program],
  ["1 MiB", LIMITS.manifest],
  ["8 MiB", LIMITS.message + 64 * 1024],
  ["32 KiB", LIMITS.word],
  ["255 letters", LIMITS.variableName],
  ["255 letters", LIMITS.dataset],
  ["255 letters", LIMITS.pathComponent],
  ["62 letters", LIMITS.portName],
  ["at least 6M", LIMITS.memory],
  ["each 128 KiB", LIMITS.programInMemory],
  ["at least 1M", LIMITS.quota],
  ["at least 16", LIMITS.pids],
  ["at least 4K", LIMITS.tmpfs],
  ["at most 2147483647", LIMITS.uid],
])("the reference states the limit %s", (text, limit) => {
  const [number = "", unit = ""] = /([0-9]+) ?([KM]?)/.exec(text)?.slice(1) ?? [];
  expect(Number(number) * { "": 1, K: 1024, M: 1024 ** 2 }[unit as "" | "K" | "M"]).toBe(limit);
  expect(page).toContain(text);
});
