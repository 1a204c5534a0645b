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
