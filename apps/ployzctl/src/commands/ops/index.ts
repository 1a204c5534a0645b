import type { Command } from "../../command.ts";
import { needOperation } from "../../names.ts";

const operation = { name: "operation", summary: "Its id", required: true } as const;

export const opsCommands: readonly Command[] = [
  {
    path: ["ops", "ls"],
    summary: "The operation log, newest first",
    options: { limit: { type: "number", value: "N", summary: "How many; default 20" } },
    run: async (context, input) =>
      (await context.client()).request("GET /v1/operations", {
        query: { limit: String(input.number("limit") ?? 20) },
        signal: context.signal,
      }),
  },
  {
    path: ["ops", "show"],
    summary: "One operation, step by step",
    args: [operation],
    run: async (context, input) =>
      (await context.client()).request("GET /v1/operations/:id", {
        params: { id: await needOperation("OPERATION", input.argument("operation")) },
        signal: context.signal,
      }),
  },
  {
    path: ["ops", "watch"],
    summary: "Follow an operation to its result; Ctrl-C leaves it running",
    args: [operation],
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
    summary: "Ask an operation to undo itself, or resolve one that nobody runs any more",
    args: [operation],
    run: async (context, input) =>
      (await context.client()).request("POST /v1/operations/:id/abort", {
        params: { id: await needOperation("OPERATION", input.argument("operation")) },
        signal: context.signal,
        idleMs: 115_000,
      }),
  },
];
