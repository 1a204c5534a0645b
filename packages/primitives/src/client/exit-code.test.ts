import { describe, expect, it } from "vitest";
import type { OperationResult } from "../model/operation.ts";
import { exitCodeOf } from "./exit-code.ts";

const result = (over: Partial<OperationResult>): OperationResult => ({
  ...{ kind: "operation", operation: "X", primitive: "deploy", state: "done", changed: true },
  ...{ output: null, owed: [], warnings: [], ms: 1 },
  ...over,
});
const error = (code: string) => ({ code, message: code });

describe("exit codes", () => {
  it.each([
    ["done", result({}), 0],
    ["a failed operation", result({ state: "failed", error: error("not_ready") }), 1],
    ["an operation that lost the store", result({ state: "interrupted", error: error("commit_unknown") }), 5],
    ["one that any machine may take over", result({ state: "interrupted", error: error("interrupted") }), 5],
    ["one that was undone after it", result({ state: "failed", error: error("interrupted") }), 1],
    ["committed, cleanup owed", result({ state: "cleanup-owed", revision: 7 }), 5],
    ["an undo that is owed", result({ state: "cleanup-owed", error: error("not_ready") }), 1],
    ["aborted and undone", result({ state: "aborted", error: error("aborted") }), 130],
    ["bad input", { kind: "refused" as const, refusals: [error("no_fit"), error("invalid_input")] }, 2],
    ["a precondition", { kind: "refused" as const, refusals: [error("scope_busy")] }, 3],
    ["no quorum", { kind: "refused" as const, refusals: [error("store_unavailable")] }, 4],
    ["aborted while it waited", { kind: "refused" as const, refusals: [error("aborted")] }, 130],
    ["no daemon", "daemon_unreachable", 4],
    ["a bug", "internal", 1],
  ])("%s", (_name, outcome, code) => {
    expect(exitCodeOf(outcome)).toBe(code);
  });
});
