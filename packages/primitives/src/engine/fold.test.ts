import { expect, test } from "vitest";
import type { JournalEntry } from "../model/journal.ts";
import { fold, next, type OpenRecord, type OperationRecord, summaryOf } from "./fold.ts";

test.each([
  ["deploy", ["deploy.prod", "route.www_example_test"], "deploy prod"],
  ["rollback", ["deploy.prod"], "rollback prod"],
  ["machine-rm", ["machine.m1"], "machine-rm m1"],
  ["machine-add", ["machine-add.m3-22"], "machine-add m3-22"],
  ["place", ["toy.a", "toy.b"], "place toy.a toy.b"],
])("%s of %j is called %s", (primitive, scope, title) => {
  const record = { primitive, scope, state: "done", startedAt: 0 } as unknown as OperationRecord;
  expect(summaryOf(record).title).toBe(title);
});

test.each([
  ["exec", { argv: ["sh", "-c", "a\n  b"] }, "exec prod/web.1: sh -c a b"],
  ["run", { argv: ["bin/import"] }, "run prod/web.1: bin/import"],
  ["exec", { as: "cp from /www" }, "exec prod/web.1: cp from /www"],
  ["exec", { argv: ["x".repeat(100)] }, `exec prod/web.1: ${"x".repeat(60)}…`],
  ["exec", {}, "exec prod/web.1"],
])("a program that was run (%s, %j) is called %s", (primitive, input, title) => {
  const record = { primitive, input, scope: [`${primitive}.prod/web.1`], state: "done", startedAt: 0 };
  expect(summaryOf(record as unknown as OperationRecord).title).toBe(title);
});

test("an entry takes the same work, however many steps there are before it", () => {
  const stamp = { t: 5, run: "r" };
  const opened = {
    operation: "01A",
    primitive: "deploy",
    version: 1,
    input: {},
    scope: [],
    coordinator: "m1",
    by: "root",
  };
  const plan = { basis: [], prepare: [], settle: [], summary: {}, changes: true, warnings: [] };
  const begun = fold([
    { type: "opened", ...opened, ...stamp },
    { type: "planned", plan, ...stamp },
  ]);
  const steps = Array.from({ length: 100 }, (_, at): JournalEntry[] => [
    { type: "step-started", step: `s${at}`, ...stamp },
    { type: "step-done", step: `s${at}`, out: at, t: 7, run: "r" },
  ]).flat();
  let copied = 0;
  class Watched extends Map<string, never> {
    override [Symbol.iterator]() {
      copied += 1;
      return super[Symbol.iterator]();
    }
    override entries() {
      copied += 1;
      return super.entries();
    }
  }
  const after = steps.reduce<OpenRecord | undefined>(next, begun && { ...begun, steps: new Watched() });
  expect(copied).toBe(0);
  expect(after?.steps.size).toBe(100);
  expect(after?.steps.get("s7")).toEqual({ state: "done", out: 7, startedAt: 5, ms: 2 });
  expect(next(after, { type: "planned", plan, ...stamp }).steps.size).toBe(0);
});
