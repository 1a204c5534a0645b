import { expect, it } from "vitest";
import { certificateRows, certificateWarnings } from "../api/certificates.ts";
import { dueAt, pauseAfter } from "./due.ts";

const DAY = 86_400_000;
const lifetime = (days: number, fingerprint = "0000") => ({
  ...{ notBefore: "2026-01-01T00:00:00.000Z", fingerprint },
  notAfter: new Date(Date.parse("2026-01-01T00:00:00.000Z") + days * DAY).toISOString(),
});
const start = Date.parse("2026-01-01T00:00:00.000Z");

it("is due when a third of the lifetime is left, at the latest; different certificates at different times", () => {
  expect(dueAt(lifetime(90))).toBe(start + 60 * DAY);
  const jittered = dueAt(lifetime(90, "ffff"));
  expect(jittered).toBeLessThan(start + 60 * DAY);
  expect(jittered).toBeGreaterThan(start + 56 * DAY);
});

it("waits longer after each failure, and never for a large part of a short lifetime", () => {
  const pauses = [1, 2, 3, 9].map((failures) => pauseAfter(failures, lifetime(90)) / 3_600_000);
  expect(pauses).toEqual([1, 2, 4, 16]);
  expect(pauseAfter(5, lifetime(1))).toBe(DAY / 20);
});

it("warns from the first failed renewal on, and loudly when the end is near", () => {
  const record = {
    ...{ name: "a.test", names: ["a.test"], issuer: "x", method: "http-01" as const, ...lifetime(90) },
    sealed: { namespace: "certificates", name: "c1", version: "1" },
    ...{ operation: "", at: "2026-01-01T00:00:00Z", by: "x" },
  };
  const failed = {
    ...{ name: "a.test", of: "0000", at: "2026-03-02T00:00:00Z", machine: "m1", failures: 1 },
    ...{ error: "no such host", next: "2026-03-02T01:00:00Z" },
  };
  const rows = (now: number, more: object = {}) =>
    certificateRows({ records: [record], renewals: [], windows: [], commits: [], now, ...more });
  const warnings = (now: number, more: object = {}) => certificateWarnings(rows(now, more), now);
  expect(rows(start + DAY)).toMatchObject([
    { state: "valid", nextTry: new Date(start + 60 * DAY).toISOString() },
  ]);
  expect(warnings(start + 61 * DAY)).toEqual([]);
  expect(rows(start + 61 * DAY, { renewals: [failed] })).toMatchObject([
    { state: "due", nextTry: failed.next, lastTry: { machine: "m1", error: "no such host" } },
  ]);
  expect(warnings(start + 61 * DAY, { renewals: [failed] })).toMatchObject([
    { message: expect.stringMatching(/^the certificate a\.test expires .* renewal failed: no such host$/) },
  ]);
  expect(warnings(start + 80 * DAY, { renewals: [failed] })).toMatchObject([
    { message: expect.stringMatching(/^THE CERTIFICATE/) },
  ]);
  expect(warnings(start + 91 * DAY)).toMatchObject([{ message: expect.stringContaining("expired at") }]);
  expect(warnings(start, { held: new Set() })).toMatchObject([
    { hint: "ployzctl cert issue a.test --force" },
  ]);
});
