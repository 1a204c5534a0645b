import { expect, it } from "vitest";
import { isNewEnough, parseVersion } from "./version.ts";

it.each([
  ["nats-server: v2.15.1\n", "2.15.1"],
  ["nats-server: 2.12.0-RC.1", "2.12.0"],
  ["nginx version: 1.2.3", undefined],
])("reads %j", (output, version) => {
  expect(parseVersion(output)).toBe(version);
});

it.each([
  ["2.9.10", false],
  ["2.11.99", false],
  ["2.12.0", true],
  ["2.15.1", true],
  ["3.0.0", true],
  ["1.99.99", false],
])("%s is new enough: %s", (version, enough) => {
  expect(isNewEnough(version)).toBe(enough);
});
