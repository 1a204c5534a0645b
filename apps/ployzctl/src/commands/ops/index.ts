import type { Command } from "../../command.ts";
import { CHANGE } from "../../flags.ts";
import { needOperation } from "../../names.ts";
import { listOperations, OPERATION, showOperation } from "./read.ts";

export const opsCommands: readonly Command[] = [
  {
    path: ["ops", "ls"],
    summary: "List operations, newest first",
    details: ["Older ones that are unfinished are listed too, however many there are since."],
    prints: ["operations"],
    options: {
      limit: { type: "number", value: "N", summary: "Number of operations; default 20" },
      primitive: { type: "list", value: "NAME", summary: "Only these, such as deploy or image-distribute" },
    },
    examples: ["ployzctl ops ls --limit 50", "ployzctl ops ls --primitive deploy --primitive rollback"],
    run: (context, input) => listOperations(context, input, input.list("primitive")),
  },
  {
    path: ["ops", "show"],
    summary: "Show one operation step by step",
    prints: ["operation-detail"],
    args: [OPERATION],
    examples: ["ployzctl ops show 01M849JKMJKJNHP441C7VF0Z2Q"],
    run: showOperation,
  },
  {
    path: ["ops", "watch"],
    summary: "Follow an operation to its result; Ctrl-C detaches",
    prints: CHANGE,
    args: [OPERATION],
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
    details: [
      "An operation that owes cleanup retries it. A step that cannot be cleaned up any more, because its machine will never come back, can be declared lost with --give-up: it is tried once more, and no longer owed. The result lists what may be left behind.",
    ],
    prints: ["abort"],
    args: [OPERATION],
    options: {
      "give-up": { type: "list", value: "STEP", summary: "Declare a step lost; may be given several times" },
    },
    examples: [
      "ployzctl ops abort 01M849JKMJKJNHP441C7VF0Z2Q",
      "ployzctl ops abort 01M849JKMJKJNHP441C7VF0Z2Q --give-up 'start db.1@m1'",
    ],
    async run(context, input) {
      const giveUp = input.list("give-up");
      return (await context.client()).request("POST /v1/operations/:id/abort", {
        params: { id: await needOperation("OPERATION", input.argument("operation")) },
        query: giveUp.length > 0 ? { giveUp: giveUp.join("\n") } : {},
        signal: context.signal,
        idleMs: 115_000,
      });
    },
  },
];
