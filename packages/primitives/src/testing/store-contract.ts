import type { Store } from "../ports/store.ts";
import { type TestApi, take, takeUntil } from "./contract.ts";
import { leaseContract } from "./lease-contract.ts";

/** A store under test. It may be shared by all tests: they keep to names of their own. */
export interface StoreUnderTest {
  readonly store: Store;
  /** Lets time pass by the store's clock. */
  sleep(ms: number): Promise<void>;
  close(): Promise<void>;
}

let counter = 0;
/** A name that no other test of this process uses. */
export const unique = (word: string): string => `${word}${++counter}`;

/** What every implementation of the `Store` port must do. Takes the test runner, and makes one store per test. */
export function storeContract(makeStore: () => Promise<StoreUnderTest>, api: TestApi): void {
  const { describe, it, expect } = api;
  const test = (name: string, body: (store: Store, sleep: StoreUnderTest["sleep"]) => Promise<void>) =>
    it(name, async () => {
      const { store, sleep, close } = await makeStore();
      try {
        await body(store, sleep);
      } finally {
        await close();
      }
    });

  describe("store contract: commits", () => {
    const commit = (namespace: string, operation: string) => ({ namespace, operation, services: { web: 1 } });

    test("the first is expected at 0, and each later one at the revision of the last", async ({
      commits,
    }) => {
      const ns = unique("ns");
      expect(await commits.last(ns)).toBeUndefined();
      const first = await commits.append(commit(ns, "op1"), 0);
      const revision = first.committed ? first.revision : -1;
      const second = await commits.append(commit(ns, "op2"), revision);
      expect(second.committed).toBe(true);
      expect((await commits.last(ns))?.value).toEqual(commit(ns, "op2"));
      expect((await commits.at(ns, revision))?.value).toEqual(commit(ns, "op1"));
      expect((await commits.history(ns, 5)).map(({ value }) => value.operation)).toEqual(["op2", "op1"]);
      expect((await commits.history(ns, 1)).length).toBe(1);
    });

    test("a commit on an old expectation changes nothing and shows what stands", async ({ commits }) => {
      const ns = unique("ns");
      await commits.append(commit(ns, "op1"), 0);
      const late = await commits.append(commit(ns, "op2"), 0);
      expect(late).toMatchObject({ committed: false, last: { key: ns, value: { operation: "op1" } } });
      expect((await commits.history(ns, 5)).length).toBe(1);
    });

    test("an append that is sent again is one commit", async ({ commits }) => {
      const ns = unique("ns");
      const first = await commits.append(commit(ns, "op1"), 0);
      expect(await commits.append(commit(ns, "op1"), 0)).toEqual(first);
      expect((await commits.history(ns, 5)).length).toBe(1);
    });

    test("one of many at once wins", async ({ commits }) => {
      const ns = unique("ns");
      const all = await Promise.all([1, 2, 3, 4, 5].map((n) => commits.append(commit(ns, `op${n}`), 0)));
      expect(all.filter(({ committed }) => committed).length).toBe(1);
    });

    test("heads are the last of each namespace, sorted", async ({ commits }) => {
      const [a, b] = [unique("ns-a"), unique("ns-b")];
      await commits.append(commit(b, "op1"), 0);
      await commits.append(commit(a, "op1"), 0);
      const heads = (await commits.heads()).map(({ key }) => key).filter((key) => key === a || key === b);
      expect(heads).toEqual([a, b]);
    });

    test("a follower gets the heads, one synced, then what comes", async ({ commits }) => {
      const ns = unique("ns");
      await commits.append(commit(ns, "op1"), 0);
      const stop = new AbortController();
      const operations: string[] = [];
      let synced = 0;
      // The second may be a head already, when it is there before the follower has started.
      const seen = takeUntil(commits.follow(stop.signal), (event) => {
        if (event.type === "synced") synced += 1;
        else if (event.type === "put" && event.entry.key === ns) operations.push(event.entry.value.operation);
        return synced > 0 && operations.at(-1) === "op2";
      });
      const last = await commits.last(ns);
      await commits.append(commit(ns, "op2"), last?.revision ?? 0);
      await seen;
      stop.abort();
      expect(synced).toBe(1);
      expect(operations.at(-1)).toBe("op2");
    });
  });

  describe("store contract: facts", () => {
    test("are written at the expected revision only", async ({ facts }) => {
      const key = `${unique("machine")}.m1`;
      const made = await facts.put(key, { index: 1 }, 0);
      const revision = made.ok ? made.revision : -1;
      expect(await facts.put(key, { index: 2 }, 0)).toMatchObject({
        ok: false,
        current: { value: { index: 1 } },
      });
      expect((await facts.put(key, { index: 2 }, revision)).ok).toBe(true);
      expect((await facts.get(key))?.value).toEqual({ index: 2 });
    });

    test("the same put twice is one", async ({ facts }) => {
      const key = unique("fact");
      const first = await facts.put(key, { a: 1 }, 0);
      expect(await facts.put(key, { a: 1 }, 0)).toEqual(first);
    });

    test("are removed at the expected revision, and removing what is gone is ok", async ({ facts }) => {
      const key = unique("fact");
      const made = await facts.put(key, true, 0);
      const revision = made.ok ? made.revision : -1;
      expect((await facts.remove(key, revision + 1_000)).ok).toBe(false);
      expect((await facts.remove(key, revision)).ok).toBe(true);
      expect((await facts.remove(key, revision)).ok).toBe(true);
      expect(await facts.get(key)).toBeUndefined();
      expect((await facts.put(key, true, 0)).ok).toBe(true);
    });

    test("are listed by whole tokens of the prefix, sorted", async ({ facts }) => {
      const prefix = unique("p");
      for (const key of [`${prefix}.b`, `${prefix}.a`, `${prefix}x.c`, prefix]) await facts.put(key, 1, 0);
      expect((await facts.list(prefix)).map(({ key }) => key)).toEqual([
        prefix,
        `${prefix}.a`,
        `${prefix}.b`,
      ]);
    });

    test("a follower gets what is there, one synced, then puts and deletions", async ({ facts }) => {
      const prefix = unique("p");
      const made = await facts.put(`${prefix}.a`, 1, 0);
      const stop = new AbortController();
      const types: string[] = [];
      for await (const event of facts.follow(prefix, stop.signal)) {
        types.push(event.type);
        if (event.type === "synced") {
          await facts.put(`${prefix}.b`, 2, 0);
          await facts.remove(`${prefix}.a`, made.ok ? made.revision : -1);
        }
        if (event.type === "delete") stop.abort();
      }
      expect(types).toEqual(["put", "synced", "put", "delete"]);
    });

    test("a follower loses no change that is made while it starts", async ({ facts }) => {
      const prefix = unique("p");
      const made = await facts.put(`${prefix}.a`, 1, 0);
      const stop = new AbortController();
      const present = new Set<string>();
      let synced = 0;
      // Whether the first picture shows a change or an event after it is a matter of luck; what it adds up to is not.
      const seen = takeUntil(facts.follow(prefix, stop.signal), (event) => {
        if (event.type === "put") present.add(event.entry.key);
        else if (event.type === "delete") present.delete(event.key);
        else synced += 1;
        return synced > 0 && present.has(`${prefix}.last`);
      });
      await facts.put(`${prefix}.b`, 2, 0);
      await facts.remove(`${prefix}.a`, made.ok ? made.revision : -1);
      await facts.put(`${prefix}.last`, 3, 0);
      await seen;
      stop.abort();
      expect(synced).toBe(1);
      expect([...present].sort()).toEqual([`${prefix}.b`, `${prefix}.last`]);
    });

    test("following ends when it is aborted", async ({ facts }) => {
      const stop = new AbortController();
      const seen = take(facts.follow(unique("p"), stop.signal), 99);
      stop.abort();
      expect((await seen).every(({ type }) => type === "synced")).toBe(true);
    });
  });

  describe("store contract: journals", () => {
    test("entries are appended in order, and a gap or another's entry is refused", async ({ journals }) => {
      const op = unique("OP");
      expect(await journals.read(op)).toEqual([]);
      expect(await journals.append(op, 0, { n: 0 })).toBe(true);
      expect(await journals.append(op, 1, { n: 1 })).toBe(true);
      expect(await journals.append(op, 1, { n: "other" })).toBe(false);
      expect(await journals.append(op, 1, { n: 1 })).toBe(true);
      expect(await journals.append(op, 3, { n: 3 })).toBe(false);
      expect(await journals.read(op)).toEqual([{ n: 0 }, { n: 1 }]);
    });

    test("one of two writers wins an entry", async ({ journals }) => {
      const op = unique("OP");
      const both = await Promise.all(["a", "b"].map((run) => journals.append(op, 0, { run })));
      expect(both.filter(Boolean).length).toBe(1);
    });

    test("a follower gets entries from where it asks", async ({ journals }) => {
      const op = unique("OP");
      await journals.append(op, 0, "zero");
      await journals.append(op, 1, "one");
      const stop = new AbortController();
      const seen = take(journals.follow(op, 1, stop.signal), 2);
      await journals.append(op, 2, "two");
      expect(await seen).toEqual(["one", "two"]);
      stop.abort();
    });

    test("summaries are replaced, and listed newest operation first", async ({ journals }) => {
      const [older, newer] = [unique("ZZ0"), unique("ZZ1")];
      await journals.putSummary(older, { state: "running" });
      await journals.putSummary(newer, { state: "running" });
      await journals.putSummary(older, { state: "done" });
      expect((await journals.summary(older))?.value).toEqual({ state: "done" });
      const listed = (await journals.summaries(1_000)).filter(({ key }) => key === older || key === newer);
      expect(listed.map(({ key }) => key)).toEqual([newer, older]);
      expect(await journals.summary(unique("OP"))).toBeUndefined();
    });
  });

  leaseContract(test, api, unique);
}
