import type { OperationEvent } from "@ployz/primitives/client";
import { expect, it } from "vitest";
import { openProgress } from "../src/output/progress.ts";
import type { Globals } from "../src/settings.ts";
import type { Terminal } from "../src/terminal.ts";

const globals = { json: false, events: false, quiet: false } as Globals;

function watched(tty: boolean, env: Readonly<Record<string, string>> = {}) {
  let [text, now] = ["", 0];
  const write = (more: string) => {
    text += more;
  };
  const terminal = { err: { tty, columns: 80, write }, env } as Partial<Terminal> as Terminal;
  const progress = openProgress(globals, terminal, () => now);
  return {
    copied(at: number, done: number, total?: number) {
      now = at;
      text = "";
      const amount = total === undefined ? {} : { total };
      progress.event({ type: "progress", step: "copy", note: "copying prod/db", done, ...amount });
      return text.replaceAll("\r\u001b[K", "");
    },
    noted(note: string) {
      text = "";
      progress.event({ type: "progress", step: "packages", note });
      return text;
    },
  };
}

const M = 2 ** 20;

it("a long transfer shows bytes, then rate and time left too", () => {
  const { copied } = watched(true);
  expect(copied(0, 0, 1000 * M)).toBe("  … copying prod/db 0B of 1000M");
  expect(copied(100, 5 * M, 1000 * M)).toBe("  … copying prod/db 5.0M of 1000M");
  expect(copied(1000, 100 * M, 1000 * M)).toBe("  … copying prod/db 100M of 1000M, 100M/s, 9.0 s left");
  expect(copied(2000, 150 * M, 1000 * M)).toBe("  … copying prod/db 150M of 1000M, 85M/s, 10.0 s left");
  expect(copied(3000, 1000 * M, 1000 * M)).toMatch(/1000M of 1000M, \d+M\/s$/);
});

it("one of unknown size shows bytes and rate; a new round starts from zero", () => {
  const { copied } = watched(true);
  copied(0, 0);
  expect(copied(1000, 10 * M)).toBe("  … copying prod/db 10M, 10M/s");
  expect(copied(2000, 1 * M)).toBe("  … copying prod/db 1.0M");
});

it.each([
  [false, {}],
  [true, { TERM: "dumb" }],
])("where lines cannot be overwritten, each tenth is a line: tty %j, %j", (tty, env) => {
  const { copied } = watched(tty, env);
  expect(copied(0, 0, 100)).toBe("  … copying prod/db 0B of 100B\n");
  expect(copied(10, 5, 100)).toBe("");
  expect(copied(20, 10, 100)).toBe("  … copying prod/db 10B of 100B\n");
});

it("where lines cannot be overwritten, the reason why a step waits is one line", () => {
  const { noted } = watched(false);
  expect(noted("waiting for another apt or dpkg on m2 to end")).toBe(
    "  … waiting for another apt or dpkg on m2 to end\n",
  );
  expect(noted("waiting for another apt or dpkg on m2 to end")).toBe("");
});

const PLAN = {
  kind: "plan",
  primitive: "deploy",
  hash: "",
  summary: {},
  basis: [],
  prepare: [],
  settle: [],
  warnings: [],
};

it.each([
  ["a plan that changes something", [{ type: "plan", plan: { ...PLAN, changes: true } }], "operation 01X\n"],
  [
    "a plan that changes nothing, which has no record",
    [{ type: "plan", plan: { ...PLAN, changes: false } }],
    "",
  ],
  ["a refusal, which has no record", [{ type: "refused", refusals: [] }], ""],
])("an operation's id is shown with %s", (_, events, expected) => {
  let text = "";
  const write = (more: string) => {
    text += more;
  };
  const progress = openProgress(globals, {
    err: { tty: false, columns: 80, write },
    env: {},
  } as Partial<Terminal> as Terminal);
  progress.event({ type: "accepted", operation: "01X", primitive: "deploy", resumed: false });
  for (const event of events) progress.event(event as OperationEvent);
  expect(text).toBe(expected);
});
