import { expect, it } from "vitest";
import type { OperationSummary } from "../../api.ts";
import { operationTable } from "./operations.ts";

it("the record of a program that ran has no duration: it is made when the program begins", () => {
  const at = "2026-01-01T00:00:00.000Z";
  const summary = (primitive: string, endedAt: string): OperationSummary => ({
    ...{
      operation: "01",
      primitive,
      title: primitive,
      state: "done",
      scope: [],
      coordinator: "m1",
      by: "ops",
    },
    ...{ startedAt: at, endedAt },
  });
  const block = operationTable(
    [summary("run", at), summary("exec", at), summary("job-run", "2026-01-01T00:00:02.000Z")],
    Date.parse(at),
    "",
  );
  if (block.kind !== "table") throw new Error("no table");
  expect(block.rows.map((row) => row[4])).toEqual(["-", "-", "2.0 s"]);
});
