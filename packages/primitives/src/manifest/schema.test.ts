import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { publishedSchema } from "./published.ts";

const file = fileURLToPath(new URL("../../schema/ployz.schema.json", import.meta.url));

/** `UPDATE_SCHEMA=1 vitest run schema && biome format --write schema` writes it. */
test("the published schema is the one that the program checks with", async () => {
  if (process.env.UPDATE_SCHEMA) await writeFile(file, publishedSchema());
  expect(JSON.parse(await readFile(file, "utf8"))).toEqual(JSON.parse(publishedSchema()));
});

test("an editor can use the published file alone", async () => {
  const validate = new Ajv2020().compile(JSON.parse(await readFile(file, "utf8")));
  expect(validate({ namespace: "prod", services: { web: { image: "nginx", replicas: 2 } } })).toBe(true);
  expect(validate({ namespace: "prod", services: { web: { image: "nginx", replica: 2 } } })).toBe(false);
});
