import { emptyCommit } from "@ployz/primitives/protocol";
import { expect, test } from "vitest";
import { needNamespace, needTarget, needVolume } from "./named.ts";

const made = { operation: "OP", primitive: "deploy", at: "", by: "" };
const prod = {
  ...emptyCommit({ namespace: "production", ...made }),
  jobs: { seed: { revision: "r", spec: {} } },
  services: { web: { revision: "r", spec: {} } },
  volumes: [
    { name: "pgdata", id: "production.pgdata.x", machine: "m1", guid: "1", spec: { scope: "single" } },
  ],
} as unknown as ReturnType<typeof emptyCommit>;
const gone = { ...emptyCommit({ namespace: "staging", ...made }), removed: true as const };
const heads = [{ commit: prod }, { commit: gone }];

const refusal = (read: () => unknown) => {
  try {
    return read();
  } catch (error) {
    const { code, message, hint } = error as { code: string; message: string; hint: string };
    return [code, message, hint];
  }
};

test("committed names can be read, of jobs too", () => {
  expect(needNamespace(heads, "production").namespace).toBe("production");
  expect(needVolume(heads, "production", "pgdata").id).toBe("production.pgdata.x");
  for (const service of ["web", "seed"]) expect(() => needTarget(heads, "production", service)).not.toThrow();
});

test.each<[string, () => unknown, readonly string[]]>([
  [
    "a misspelt namespace",
    () => needNamespace(heads, "prodction"),
    ["no_such_namespace", "there is no namespace prodction", "did you mean production?"],
  ],
  [
    "a removed namespace",
    () => needNamespace(heads, "staging"),
    ["no_such_namespace", "there is no namespace staging", "there are production"],
  ],
  [
    "a misspelt service",
    () => needTarget(heads, "production", "wbe"),
    ["no_such_service", "production has no service wbe", "did you mean web?"],
  ],
  [
    "another volume",
    () => needVolume(heads, "production", "logs"),
    ["no_such_volume", "production has no volume logs", "it has pgdata"],
  ],
  [
    "a volume of a misspelt namespace",
    () => needVolume(heads, "productio", "pgdata"),
    ["no_such_namespace", "there is no namespace productio", "did you mean production?"],
  ],
  [
    "anything where nothing is",
    () => needNamespace([], "prod"),
    ["no_such_namespace", "there is no namespace prod", "ployzctl namespace ls"],
  ],
])("%s is refused with the nearest name", (_what, read, expected) => {
  expect(refusal(read)).toEqual(expected);
});
