import { type Commit, emptyCommit } from "../model/commit.ts";
import type { RawStore, Store } from "../ports/store.ts";
import { checkedStore } from "../records/store.ts";
import { type TestApi, take, takeUntil } from "./contract.ts";
import { leaseContract } from "./lease-contract.ts";
import { nameContract } from "./name-contract.ts";

/** A store under test. It may be shared by all tests: they keep to names of their own. */
export interface StoreUnderTest {
  readonly raw: RawStore;
  /** Lets time pass by the store's clock. */
  sleep(ms: number): Promise<void>;
  /** Ends it. */
  close(): Promise<void>;
}

let counter = 0;
/** A name that no other test of this process uses. */
export const unique = (word: string): string => `${word}${++counter}`;

const commit = (namespace: string, operation: string): Commit =>
  emptyCommit({ namespace, operation, primitive: "test", at: "", by: "" });

/** What every implementation of the `Store` port must do. Takes the test runner, and makes one store per test. */
export function storeContract(makeStore: () => Promise<StoreUnderTest>, api: TestApi): void {
  const { describe, it, expect } = api;
  const test = (name: string, body: (store: Store, sleep: StoreUnderTest["sleep"]) => Promise<void>) =>
    it(name, async () => {
      const { raw, sleep, close } = await makeStore();
      try {
        await body(checkedStore(raw), sleep);
      } finally {
        await close();
      }
    });

  describe("store contract: commits", () => {
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
    const owner = (machine: string) => ({ machine, operation: "OP" });
    const fresh = () => `subnet.${unique("s")}` as const;

    test("are written at the expected revision only", async ({ facts }) => {
      const key = fresh();
      const made = await facts.put(key, owner("m1"), 0);
      const revision = made.ok ? made.revision : -1;
      expect(await facts.put(key, owner("m2"), 0)).toMatchObject({
        ok: false,
        current: { value: owner("m1") },
      });
      expect((await facts.put(key, owner("m2"), revision)).ok).toBe(true);
      expect((await facts.get(key))?.value).toEqual(owner("m2"));
    });

    test("the same put twice is one", async ({ facts }) => {
      const key = fresh();
      const first = await facts.put(key, owner("m1"), 0);
      expect(await facts.put(key, owner("m1"), 0)).toEqual(first);
    });

    test("are removed at the expected revision, and removing a missing one is ok", async ({ facts }) => {
      const key = fresh();
      const made = await facts.put(key, owner("m1"), 0);
      const revision = made.ok ? made.revision : -1;
      expect((await facts.remove(key, revision + 1_000)).ok).toBe(false);
      expect((await facts.remove(key, revision)).ok).toBe(true);
      expect((await facts.remove(key, revision)).ok).toBe(true);
      expect(await facts.get(key)).toBeUndefined();
      expect((await facts.put(key, owner("m1"), 0)).ok).toBe(true);
    });

    test("keep fields that this version does not know", async ({ facts }) => {
      const key = fresh();
      const newer = { ...owner("m1"), colour: "blue" };
      await facts.put(key, newer, 0);
      expect((await facts.get(key))?.value).toEqual(newer);
    });

    test("a follower gets the present facts, one synced, then puts and deletions", async ({ facts }) => {
      const [a, b] = [fresh(), fresh()];
      const made = await facts.put(a, owner("m1"), 0);
      const stop = new AbortController();
      const types: string[] = [];
      for await (const event of facts.follow("subnet", stop.signal)) {
        const key = event.type === "put" ? event.entry.key : event.type === "delete" ? event.key : undefined;
        if (key === undefined || key === a || key === b) types.push(event.type);
        if (event.type === "synced") {
          await facts.put(b, owner("m2"), 0);
          await facts.remove(a, made.ok ? made.revision : -1);
        }
        if (event.type === "delete") stop.abort();
      }
      expect(types).toEqual(["put", "synced", "put", "delete"]);
    });

    test("a follower loses no change that is made while it starts", async ({ facts }) => {
      const [a, b, last] = [fresh(), fresh(), fresh()];
      const made = await facts.put(a, owner("m1"), 0);
      const stop = new AbortController();
      const present = new Set<string>();
      let synced = 0;
      // Whether the first picture shows a change or an event after it is a matter of luck; the sum is not.
      const seen = takeUntil(facts.follow("subnet", stop.signal), (event) => {
        if (event.type === "put") present.add(event.entry.key);
        else if (event.type === "delete") present.delete(event.key);
        else synced += 1;
        return synced > 0 && present.has(last);
      });
      await facts.put(b, owner("m1"), 0);
      await facts.remove(a, made.ok ? made.revision : -1);
      await facts.put(last, owner("m1"), 0);
      await seen;
      stop.abort();
      expect(synced).toBe(1);
      expect([a, b, last].filter((key) => present.has(key))).toEqual([b, last]);
    });

    test("following ends when it is aborted", async ({ facts }) => {
      const stop = new AbortController();
      const seen = take(facts.follow("volume-prune", stop.signal), 99);
      stop.abort();
      expect((await seen).every(({ type }) => type === "synced")).toBe(true);
    });
  });

  describe("store contract: journals", () => {
    const entry = (step: string) => ({ type: "step-started" as const, step, t: 0, run: "r" });
    const opened = (operation: string) => ({
      ...{ type: "opened" as const, t: 0, run: "r", operation, primitive: "test", version: 1 },
      ...{ input: null, scope: [], coordinator: "m1", by: "" },
    });
    const summary = (operation: string, state: "running" | "done") => ({
      ...{ operation, state, primitive: "test", scope: [], coordinator: "m1", by: "", startedAt: "" },
      title: "",
    });

    test("entries are appended in order, and a gap or another's entry is refused", async ({ journals }) => {
      const op = unique("OP");
      expect(await journals.read(op)).toEqual([]);
      expect(await journals.append(op, 0, opened(op))).toBe(true);
      expect(await journals.append(op, 1, entry("1"))).toBe(true);
      expect(await journals.append(op, 1, entry("other"))).toBe(false);
      expect(await journals.append(op, 1, entry("1"))).toBe(true);
      expect(await journals.append(op, 3, entry("3"))).toBe(false);
      expect(await journals.read(op)).toEqual([opened(op), entry("1")]);
    });

    test("one of two writers wins an entry", async ({ journals }) => {
      const op = unique("OP");
      const both = await Promise.all(["a", "b"].map((step) => journals.append(op, 0, entry(step))));
      expect(both.filter(Boolean).length).toBe(1);
    });

    test("a follower gets entries from where it asks", async ({ journals }) => {
      const op = unique("OP");
      await journals.append(op, 0, entry("zero"));
      await journals.append(op, 1, entry("one"));
      const stop = new AbortController();
      const seen = take(journals.follow(op, 1, stop.signal), 2);
      await journals.append(op, 2, entry("two"));
      expect(await seen).toEqual([entry("one"), entry("two")]);
      stop.abort();
    });

    test("a follower of the summaries sees each that is written from then on", async ({
      journals,
    }, sleep) => {
      const [before, operation] = [unique("ZY0"), unique("ZY1")];
      await journals.putSummary(before, summary(before, "running"));
      const stop = new AbortController();
      const seen: string[] = [];
      const following = (async () => {
        for await (const { key, value } of journals.changes(stop.signal)) {
          if (key !== before && key !== operation) continue;
          seen.push(`${key} ${value.state}`);
          if (value.state === "done") return;
        }
      })();
      // Writes until the follower has begun: it may see any of the first ones, and sees the last.
      for (let again = 0; seen.length === 0; again++) {
        await journals.putSummary(operation, summary(operation, "running"));
        await sleep(5);
        expect(again < 1_000).toBe(true);
      }
      await journals.putSummary(operation, summary(operation, "done"));
      await following;
      stop.abort();
      expect(seen.at(-1)).toBe(`${operation} done`);
      expect(seen.some((one) => one.startsWith(before))).toBe(false);
    });

    test("summaries are replaced, and listed newest operation first", async ({ journals }) => {
      const [older, newer] = [unique("ZZ0"), unique("ZZ1")];
      await journals.putSummary(older, summary(older, "running"));
      await journals.putSummary(newer, summary(newer, "running"));
      await journals.putSummary(older, summary(older, "done"));
      expect((await journals.summary(older))?.value).toMatchObject({ state: "done" });
      const listed = (await journals.summaries(1_000)).filter(({ key }) => key === older || key === newer);
      expect(listed.map(({ key }) => key)).toEqual([newer, older]);
      const isEnded = ({ state }: { readonly state: string }) => state === "done";
      for (let again = 0; again < 2; again++) {
        const open = (await journals.summaries(1, isEnded)).map(({ key }) => key);
        expect(open).toEqual([newer]);
      }
      await journals.putSummary(newer, summary(newer, "done"));
      const unfinished = (await journals.summaries(1_000, isEnded)).map(({ key }) => key);
      expect(unfinished.filter((key) => key === older || key === newer)).toEqual([]);
      const all = (await journals.summaries(1_000)).map(({ key }) => key);
      expect(all.filter((key) => key === older || key === newer)).toEqual([newer, older]);
      expect(await journals.summary(unique("OP"))).toBeUndefined();
    });
  });

  describe("store contract: prefixes", () => {
    it("are whole words of a key, and lists are sorted", async () => {
      const { raw, close } = await makeStore();
      const word = unique("p");
      for (const key of [`${word}.b`, `${word}.a`, `${word}x.c`, word]) await raw.facts.put(key, 1, 0);
      expect((await raw.facts.list(word)).map(({ key }) => key)).toEqual([word, `${word}.a`, `${word}.b`]);
      await close();
    });
  });

  leaseContract(test, api, unique);
  nameContract(test, api);
}
