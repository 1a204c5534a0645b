import type { PloyzError } from "@ployz/errors";
import { expect, test } from "vitest";
import type { InstanceSpec } from "./runtime.ts";
import { checkSpec, instanceIdentity } from "./spec.ts";

const spec: InstanceSpec = {
  id: "prod.web.0",
  labels: { operation: "a" },
  command: ["true"],
  env: { A: "1", B: "2" },
  address: "10.101.3.7",
  dns: { server: "10.101.3.1", search: [] },
  hostname: "web",
  mounts: [],
  restart: "always",
};

test("the identity is of what runs: neither labels nor the order of fields change it", () => {
  const reordered = Object.fromEntries(Object.entries(spec).reverse()) as unknown as InstanceSpec;
  expect(instanceIdentity(reordered)).toBe(instanceIdentity(spec));
  expect(instanceIdentity({ ...spec, labels: { operation: "b" } })).toBe(instanceIdentity(spec));
  expect(instanceIdentity({ ...spec, env: { B: "2", A: "1" } })).toBe(instanceIdentity(spec));
  expect(instanceIdentity({ ...spec, env: { A: "1", B: "3" } })).not.toBe(instanceIdentity(spec));
  expect(instanceIdentity({ ...spec, command: ["true", ""] })).not.toBe(instanceIdentity(spec));
});

test.each<[string, Partial<InstanceSpec>]>([
  ["id with a path", { id: "../etc" }],
  ["id with dots that climb", { id: "a..b" }],
  ["id like an option", { id: "-rf" }],
  ["NUL in an argument", { command: ["a\0b"] }],
  ["NUL in the environment", { env: { A: "\0" } }],
  ["= in a variable's name", { env: { "A=B": "" } }],
  ["/ in a variable's name", { env: { "../A": "" } }],
  ["relative mount", { mounts: [{ source: "data", target: "/data" }] }],
  ["mount that climbs", { mounts: [{ source: "/data/../etc", target: "/data" }] }],
  ["hostname with a newline", { hostname: "a\nb" }],
  ["search domain with white space", { dns: { server: "10.101.3.1", search: ["a b"] } }],
  ["address that is none", { address: "10.101.3.256" }],
  ["signal that is none", { stopSignal: "TERM; rm" }],
  ["no memory", { resources: { memoryBytes: 5 } }],
  ["negative CPUs", { resources: { cpus: -1 } }],
])("refuses %s", (_, fields) => {
  let error: unknown;
  try {
    checkSpec({ ...spec, ...fields });
  } catch (caught) {
    error = caught;
  }
  expect((error as PloyzError | undefined)?.code).toBe("instance_invalid");
});
