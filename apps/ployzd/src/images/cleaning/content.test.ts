import { describe, expect, it } from "vitest";
import { type Held, isNamedBy, judge } from "./content.ts";

const DAY = 86_400_000;
const now = 100 * DAY;
const image = (digest: string, daysAgo: number, more: Partial<Held> = {}): Held => ({
  ...{ kind: "image", digest, aliases: [digest, `${digest}-config`], names: [], former: [], sizeBytes: 1 },
  atMs: now - daysAgo * DAY,
  ...more,
});
const tagged = (digest: string, daysAgo: number, tag: string) =>
  image(digest, daysAgo, { names: [`docker.io/library/web:${tag}`] });
const retention = { last: 1, days: 7 };
const expired = (held: readonly Held[], more: Partial<Parameters<typeof judge>[1]> = {}) =>
  judge(held, { users: new Map(), retention, now, ...more })
    .filter((one) => one.expired)
    .map(({ digest }) => digest);

describe("an image expires", () => {
  it("when it is old and not among the newest of its repository", () => {
    expect(expired([tagged("a", 30, "v1"), tagged("b", 20, "v2"), tagged("c", 3, "v3")])).toEqual(["a", "b"]);
    expect(expired([tagged("a", 30, "v1"), tagged("b", 20, "v2")])).toEqual(["a"]);
  });

  it("counted with its former name, once another image got it", () => {
    const former = ["docker.io/library/web:latest"];
    const named = image("c", 1, { names: former });
    expect(expired([image("a", 30, { former }), image("b", 20, { former }), named])).toEqual(["a", "b"]);
    const two = { retention: { last: 2, days: 7 } };
    expect(expired([image("a", 30, { former }), image("b", 20, { former }), named], two)).toEqual(["a"]);
  });

  it("whatever its age with `all`, but never while something needs it", () => {
    const held = [tagged("a", 1, "v1"), image("b", 1)];
    expect(expired(held)).toEqual([]);
    expect(expired(held, { all: true })).toEqual(["a", "b"]);
    expect(expired(held, { all: true, users: new Map([["b-config", ["prod/web"]]]) })).toEqual(["a"]);
    expect(expired(held, { all: true, waits: true })).toEqual([]);
  });
});

it("a name, a digest or its beginning names an image", () => {
  const held = image(`sha256:${"ab".repeat(32)}`, 1, { names: ["docker.io/library/web:v1"] });
  expect(isNamedBy("web:v1", "docker.io/library/web:v1", held)).toBe(true);
  expect(isNamedBy("web:v2", "docker.io/library/web:v2", held)).toBe(false);
  expect(isNamedBy("sha256:ababab", undefined, held)).toBe(true);
  expect(isNamedBy("sha256:abab", undefined, held)).toBe(false);
  expect(isNamedBy("sha256:ababac", undefined, held)).toBe(false);
});
