import { expect, test } from "vitest";
import { type OperationRecord, summaryOf } from "./fold.ts";

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
