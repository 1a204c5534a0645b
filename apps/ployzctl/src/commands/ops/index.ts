import type { Command } from "../../command.ts";
import { CHANGE } from "../../flags.ts";
import { needOperation } from "../../names.ts";

const operation = {
  name: "operation",
  summary: "Id of the operation",
  required: true,
  source: "operation",
} as const;

export const opsCommands: readonly Command[] = [
  {
    path: ["ops", "ls"],
    summary: "List operations, newest first",
    prints: ["operations"],
    options: { limit: { type: "number", value: "N", summary: "Number of operations; default 20" } },
    examples: ["ployzctl ops ls --limit 50"],
    run: async (context, input) =>
      (await context.client()).request("GET /v1/operations", {
        query: { limit: String(input.number("limit") ?? 20) },
        signal: context.signal,
      }),
  },
  {
    path: ["ops", "show"],
    summary: "Show one operation step by step",
    prints: ["operation-detail"],
    args: [operation],
    examples: ["ployzctl ops show 01M849JKMJKJNHP441C7VF0Z2Q"],
    run: async (context, input) =>
      (await context.client()).request("GET /v1/operations/:id", {
        params: { id: await needOperation("OPERATION", input.argument("operation")) },
        signal: context.signal,
      }),
  },
  {
    path: ["ops", "watch"],
    summary: "Follow an operation to its result; Ctrl-C detaches",
    prints: CHANGE,
    args: [operation],
    examples: ["ployzctl ops watch 01M849JKMJKJNHP441C7VF0Z2Q"],
    async run(context, input) {
      const id = await needOperation("OPERATION", input.argument("operation"));
      const client = await context.client();
      const { follow } = await import("../../operation/follow.ts");
      const { outcome } = await follow(
        context,
        (signal) => client.stream("GET /v1/operations/:id/events", { params: { id }, signal }),
        { operation: id, abortOnInterrupt: false },
      );
      return outcome;
    },
  },
  {
    path: ["ops", "abort"],
    summary: "Abort an operation and undo it, or resolve an interrupted one",
    prints: ["abort"],
    args: [operation],
    examples: ["ployzctl ops abort 01M849JKMJKJNHP441C7VF0Z2Q"],
    run: async (context, input) =>
      (await context.client()).request("POST /v1/operations/:id/abort", {
        params: { id: await needOperation("OPERATION", input.argument("operation")) },
        signal: context.signal,
        idleMs: 115_000,
      }),
  },
];
