import { emptyCommit, type JournalEntry, type ServiceSpec, type Store } from "@ployz/primitives/protocol";
import { createMemoryStore, createVirtualClock } from "@ployz/primitives/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { readReferences } from "./references.ts";

const DAY = 86_400_000;
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const now = Date.parse("2026-06-01T00:00:00Z");
const retention = { last: 2, days: 7 };
const clock = createVirtualClock(now);
let store: Store;
beforeEach(() => {
  store = createMemoryStore({ clock });
});
const usersOf = async () => {
  const { users, waitsFor } = await readReferences(store, { retention, now });
  return { users: Object.fromEntries(users), ...(waitsFor !== undefined && { waitsFor }) };
};

async function commit(namespace: string, image: string, daysAgo: number, expected: number): Promise<number> {
  const at = new Date(now - daysAgo * DAY).toISOString();
  const spec: ServiceSpec = {
    ...{ image: { ref: "web:v1", digest: image }, env: {}, after: [], stopGraceMs: 1, ports: {} },
    ...{ drainMs: 1, volumes: {}, routes: [] },
    placement: { kind: "replicas", count: 1 },
    update: "start-first",
  };
  const base = emptyCommit({
    namespace,
    operation: `01M849JKMJKJNHP441C7VF0Z${expected}${daysAgo}`.slice(0, 26),
    primitive: "deploy",
    at,
    by: "me",
  });
  const result = await store.commits.append(
    { ...base, services: { web: { revision: "r", spec } } },
    expected,
  );
  if (!result.committed) throw new Error("not committed");
  return result.revision;
}
const OPERATION = "01M849JKMJKJNHP441C7VF0Z2Q";
const holder = { operation: OPERATION, machine: "m1" };
const stamp = { t: now, run: "r" };
const opened = (primitive: string): JournalEntry => ({
  ...{ operation: OPERATION, primitive, version: 1, input: null, scope: ["deploy.prod"] },
  ...{ coordinator: "m1", by: "me" },
  ...stamp,
  type: "opened",
});
const planned = (image: string): JournalEntry => ({
  ...stamp,
  type: "planned",
  plan: { basis: [], prepare: [], settle: [], summary: { image }, changes: true, warnings: [] },
});

describe("content is needed", () => {
  it("by the heads of all namespaces, and by commits that are among the last or young", async () => {
    let revision = 0;
    for (const [letter, daysAgo] of [
      ["a", 40],
      ["b", 30],
      ["c", 20],
      ["d", 10],
    ] as const)
      revision = await commit("old", digest(letter), daysAgo, revision);
    await commit("young", digest("f"), 1, await commit("young", digest("e"), 2, 0));
    expect(Object.keys((await usersOf()).users).sort()).toEqual(["c", "d", "e", "f"].map(digest));
    expect((await usersOf()).users[digest("f")]).toEqual(["young/web"]);
    expect((await usersOf()).users[digest("c")]).toEqual(["old/web of an earlier commit"]);
  });

  it("by more young commits than the retention counts", async () => {
    let revision = 0;
    for (const letter of ["a", "b", "c", "d", "e"])
      revision = await commit("busy", digest(letter), 1, revision);
    expect(Object.keys((await usersOf()).users)).toHaveLength(5);
  });

  it("by a prepared plan, until it expires", async () => {
    const plan = {
      ...{ primitive: "deploy", version: 1, input: null, hash: "h", by: "me" },
      content: [digest("a")],
    };
    await store.facts.put("prepared.one", { ...plan, expiresAt: new Date(now + DAY).toISOString() }, 0);
    await store.facts.put(
      "prepared.two",
      { ...plan, content: [digest("b")], expiresAt: new Date(now - 1).toISOString() },
      0,
    );
    expect(Object.keys((await usersOf()).users)).toEqual([digest("a")]);
  });

  it("by the plan of an operation that has not ended; one without a plan is waited for", async () => {
    await store.leases.acquire("deploy.prod", holder, 10_000);
    expect(await usersOf()).toEqual({ users: {}, waitsFor: `operation ${OPERATION} has no plan yet` });
    await store.journals.append(OPERATION, 0, opened("deploy"));
    await store.journals.putSummary(OPERATION, {
      ...{ operation: OPERATION, primitive: "deploy", scope: ["deploy.prod"], state: "running" },
      ...{ coordinator: "m1", by: "me", startedAt: new Date(now).toISOString(), title: "deploy" },
    });
    expect((await usersOf()).waitsFor).toBeDefined();
    await store.journals.append(OPERATION, 1, planned(digest("a")));
    expect(await usersOf()).toEqual({ users: { [digest("a")]: [`operation ${OPERATION}`] } });
  });

  it("by no cleaning", async () => {
    await store.leases.acquire("image-prune", holder, 10_000);
    await store.leases.acquire("doctor.m1", { operation: "doctor", machine: "m1" }, 10_000);
    expect(await usersOf()).toEqual({ users: {} });
  });
});
