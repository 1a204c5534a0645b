import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { instanceId, isOperationId, ulid } from "./ids.ts";
import { checkLabel, isLabel } from "./names.ts";

describe("names", () => {
  it.each(["web", "a", "pr-42", "x".repeat(63)])("accepts %s", (name) => {
    expect(isLabel(name)).toBe(true);
  });

  it.each([
    "",
    "-web",
    "web-",
    "Web",
    "9a",
    "a b",
    "../x",
    "a;rm -rf /",
    "$(id)",
    "a\n",
    "a\0",
    "x".repeat(64),
    "ä",
    "a.b",
  ])("refuses %j", (name) => {
    expect(isLabel(name)).toBe(false);
  });

  it("shows a refused name quoted and cut, with the field", () => {
    const refusal = checkLabel("services.x", `${"a".repeat(65_536)}\n`);
    expect(refusal).toMatchObject({ code: "invalid_input", details: { field: "services.x" } });
    expect(refusal?.message.length).toBeLessThan(200);
    expect(refusal?.message).not.toContain("\n");
  });
});

describe("operation ids", () => {
  it("sort by time and are well formed", () => {
    fc.assert(
      fc.property(
        fc.nat(2 ** 31),
        fc.nat(2 ** 31),
        fc.uint8Array({ minLength: 10, maxLength: 10 }),
        (a, b, bytes) => {
          const [x, y] = [ulid(a, () => bytes), ulid(b, () => bytes)];
          expect(isOperationId(x)).toBe(true);
          expect(x < y).toBe(a < b);
        },
      ),
    );
  });

  it("are the known text for a known time", () => {
    expect(ulid(1_469_918_176_385, () => new Uint8Array(10))).toBe("01ARYZ6S410000000000000000");
  });

  it("name instances", () => {
    expect(instanceId("prod", "web", 1, "01ARYZ6S41TSV4RRFFQ69G5FAV")).toBe("prod.web.1.q69g5fav");
  });
});
