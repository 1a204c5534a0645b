import { describe, expect, test } from "vitest";
import { fullName, parseReference, shortName } from "./reference.ts";

const digest = `sha256:${"a".repeat(64)}`;

describe("a reference", () => {
  test.each([
    ["web", "docker.io/library/web:latest", "web:latest"],
    ["web:v4", "docker.io/library/web:v4", "web:v4"],
    ["shop/web:v1", "docker.io/shop/web:v1", "shop/web:v1"],
    ["docker.io/shop/web:v1", "docker.io/shop/web:v1", "shop/web:v1"],
    ["ghcr.io/acme/web:v4", "ghcr.io/acme/web:v4", "ghcr.io/acme/web:v4"],
    ["localhost:5000/web", "localhost:5000/web:latest", "localhost:5000/web:latest"],
    ["localhost/web:1", "localhost/web:1", "localhost/web:1"],
    [`web@${digest}`, "docker.io/library/web", "web"],
    [`web:v4@${digest}`, "docker.io/library/web:v4", "web:v4"],
  ])("%s is %s, shown as %s", (text, full, short) => {
    expect(fullName(parseReference(text))).toBe(full);
    expect(shortName(full)).toBe(short);
  });

  test.each([
    "",
    "Web",
    "web:",
    "web@sha256:12",
    "-web",
    "a//b",
    "../etc",
    "web v4",
    "http://ghcr.io/web",
    "web:v4\n",
  ])("%j is refused", (text) => expect(() => parseReference(text)).toThrow(/is not the name of an image/));
});
