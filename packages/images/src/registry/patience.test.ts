import { expect, it } from "vitest";
import { retryAfter } from "./patience.ts";

it("reads how long a registry wants to be left alone", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  expect(retryAfter("7", now)).toBe(7);
  expect(retryAfter("Thu, 01 Jan 2026 00:00:30 GMT", now)).toBe(30);
  expect(retryAfter("Wed, 31 Dec 2025 00:00:00 GMT", now)).toBe(0);
  for (const odd of [undefined, "soon", ""]) expect(retryAfter(odd, now)).toBeUndefined();
});
