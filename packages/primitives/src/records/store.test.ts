import { describe, expect, it } from "vitest";
import { type Commit, emptyCommit } from "../model/commit.ts";
import type { Json } from "../model/json.ts";
import { createVirtualClock } from "../testing/clock.ts";
import { createRawStore } from "../testing/memory-store.ts";
import { checkedStore, type Unreadable } from "./store.ts";

const SPEC = {
  ...{ env: {}, after: [], stopGraceMs: 1, placement: { kind: "replicas", count: 1 }, ports: { http: 80 } },
  ...{ drainMs: 1, update: "start-first", volumes: {}, routes: [] },
};
const INSTANCE = {
  ...{
    id: "prod.web.0.a",
    service: "web",
    slot: 0,
    machine: "m1",
    address: "10.101.1.2",
    ports: { http: 80 },
  },
  revision: "r",
};
const ROUTE = { kind: "http", host: "a.test", path: "/", port: "http", service: "web" };
const VOLUME = { name: "data", id: "prod.data.a", machine: "m1", guid: "1", spec: { scope: "single" } };
const GOOD = {
  ...emptyCommit({ namespace: "prod", operation: "GOOD", primitive: "deploy", at: "", by: "" }),
  services: { web: { revision: "r", spec: SPEC } },
  jobs: { migrate: { revision: "r", spec: { env: {}, after: [], stopGraceMs: 1, timeoutMs: 1 } } },
  ...{ instances: [INSTANCE], volumes: [VOLUME], routes: [ROUTE] },
  before: [{ volume: "data", id: "prod.data.a", machine: "m1", snapshot: "s", guid: "2" }],
  branchedFrom: "main",
  lineage: { kind: "branch", from: "main", revision: 1 },
} as Commit;

/** The path of each field of the document, and a value of another type than what stands there. */
function* broken(value: Json, at: readonly string[] = []): Generator<readonly [string, Json]> {
  if (at.length > 0) yield [at.join("."), typeof value === "object" ? 7 : { wrong: true }];
  if (typeof value !== "object" || value === null) return;
  for (const [key, item] of Object.entries(value)) yield* broken(item, [...at, key]);
}

function withField(document: Json, [first = "", ...rest]: readonly string[], value: Json): Json {
  const next = Array.isArray(document)
    ? [...document]
    : { ...(document as { readonly [key: string]: Json }) };
  const fields = next as { [key: string]: Json };
  fields[first] = rest.length === 0 ? value : withField(fields[first] ?? null, rest, value);
  return next;
}

const CASES: readonly (readonly [string, Json])[] = [
  ["{}", {}],
  ["no object", "this is not JSON"],
  ["null", null],
  ["of another namespace", { ...GOOD, namespace: "other" }],
  ["no address", withField(GOOD, ["instances", "0", "address"], "10.101.1.256")],
  ["no port", withField(GOOD, ["instances", "0", "ports", "http"], 65_536)],
  ...[...broken(GOOD)].map(([path, wrong]) => [path, withField(GOOD, path.split("."), wrong)] as const),
];

async function deps(bad: Json) {
  const raw = createRawStore({ clock: createVirtualClock() });
  const skipped: Unreadable[] = [];
  const store = checkedStore(raw, (one) => skipped.push(one));
  const other = { ...GOOD, namespace: "shop" };
  await store.commits.append(other, 0);
  await store.commits.append(GOOD, 0);
  raw.commits.publish("prod", bad);
  return { raw, store, skipped, other };
}

describe("a commit that cannot be read", () => {
  it.each(CASES)("is skipped and reported, and the last good one stays: %s", async (_name, bad) => {
    const { store, skipped, other } = await deps(bad);
    expect((await store.commits.heads()).map(({ value }) => value)).toEqual([GOOD, other]);
    expect(skipped[0]).toMatchObject({ key: "commit.prod", why: "invalid", revision: 3 });
    expect((await store.commits.history("prod", 9)).map(({ value }) => value)).toEqual([GOOD]);
    await expect(store.commits.last("prod")).rejects.toMatchObject({ code: "record_unreadable" });
    expect((await store.commits.last("shop"))?.value).toEqual(other);
  });

  it("of a newer format is said to be newer", async () => {
    const { store, skipped } = await deps({ ...GOOD, v: 99 });
    expect((await store.commits.heads()).length).toBe(2);
    expect(skipped[0]).toMatchObject({ key: "commit.prod", why: "newer" });
    await expect(store.commits.last("prod")).rejects.toThrow(/format is 99/);
  });

  it("is never written", async () => {
    const { store } = await deps(GOOD);
    await expect(store.commits.append({ ...GOOD, operation: 7 } as unknown as Commit, 3)).rejects.toThrow(
      /operation must be string/,
    );
  });
});

it("a fact that cannot be read is skipped in a list, reported, and an error to whoever reads it alone", async () => {
  const raw = createRawStore({ clock: createVirtualClock() });
  const skipped: Unreadable[] = [];
  const { facts } = checkedStore(raw, (one) => skipped.push(one));
  await raw.facts.put("subnet.1", { machine: "m1", operation: "x" }, 0);
  await raw.facts.put("subnet.2", { machine: 7 }, 0);
  await raw.facts.put("colour.of-a-newer-version", { any: "thing" }, 0);
  expect((await facts.list("subnet")).map(({ key }) => key)).toEqual(["subnet.1"]);
  expect((await facts.list("")).map(({ key }) => key)).toEqual(["subnet.1"]);
  expect(skipped[0]).toMatchObject({ key: "fact.subnet.2", why: "invalid" });
  await expect(facts.get("subnet.2")).rejects.toMatchObject({ code: "record_unreadable" });
});

it("a commit is checked in well under a millisecond: 2,000 heads cost a starting daemon little", async () => {
  const raw = createRawStore({ clock: createVirtualClock() });
  const { commits } = checkedStore(raw);
  for (let n = 0; n < 2_000; n++) await commits.append({ ...GOOD, namespace: `ns${n}` }, 0);
  const time = async (read: () => Promise<unknown>) => {
    const began = performance.now();
    await read();
    return performance.now() - began;
  };
  const [plain, checked] = [await time(() => raw.commits.heads()), await time(() => commits.heads())];
  expect(checked - plain).toBeLessThan(1_000);
});
