import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, it } from "vitest";
import { COMMANDS } from "../src/commands/index.ts";
import type { Document } from "../src/documents.ts";
import { DOCUMENTS } from "../src/documents.ts";
import { checkDocument } from "./printed.ts";
import { ctl } from "./run.ts";

const instances = { kind: "instances", instances: [], unreachable: [] };
const row = { namespace: "prod", service: "web", slot: 1, machine: "m1", address: "10.101.1.2" };

it("every kind is printed by a command, and the schema under its name fixes it", () => {
  const printed = new Set<string>(COMMANDS.flatMap(({ prints }) => prints));
  expect(Object.keys(DOCUMENTS).filter((kind) => kind !== "error" && !printed.has(kind))).toEqual([]);
  for (const [name, schema] of Object.entries(DOCUMENTS)) {
    const { properties } = JSON.parse(JSON.stringify(schema)) as {
      readonly properties: { readonly kind: { readonly const?: string; readonly enum?: readonly string[] } };
    };
    expect(properties.kind.enum ?? [properties.kind.const]).toContain(name);
  }
});

it("prints a schema that a program can use alone", async () => {
  const { out } = await ctl(["schema", "instances"]);
  const validate = new Ajv2020().compile(JSON.parse(out));
  expect(validate(instances)).toBe(true);
  expect(validate({ ...instances, later: "a newer version may add fields" })).toBe(true);
  expect(validate({ ...instances, unreachable: "m1" })).toBe(false);
  expect((await ctl(["schema", "instance"])).err).toContain("did you mean ployzctl schema instances?");
});

it.each<[string, object, string]>([
  ["a field that the schema does not have", { ...instances, extra: 1 }, "unevaluated"],
  ["the same in a row", { ...instances, instances: [{ ...row, extra: 1 }] }, "unevaluated"],
  ["a field that is missing", { kind: "instances", instances: [] }, "unreachable"],
  ["another type", { ...instances, unreachable: "m1" }, "must be array"],
  ["a kind that the command does not list", { kind: "secrets", secrets: [] }, "does not list"],
])("the tests of all commands find %s", (_what, document, message) => {
  expect(() => checkDocument(["ps"], document as Document)).toThrow(message);
});
