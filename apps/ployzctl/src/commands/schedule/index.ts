import type { Command } from "../../command.ts";
import { CHANGE, PREVIEW } from "../../flags.ts";
import { needLabel } from "../../names.ts";

const schedule = { name: "schedule", summary: "NAMESPACE/SCHEDULE", required: true } as const;

export const scheduleCommands: readonly Command[] = [
  {
    path: ["schedule", "ls"],
    summary: "List schedules: last result, next time, missed runs",
    prints: ["schedules"],
    args: [{ name: "namespace", summary: "Only this namespace", source: "namespace" }],
    examples: ["ployzctl schedule ls prod"],
    async run(context, input) {
      const name = input.argument("namespace");
      const namespace = name === undefined ? undefined : await needLabel("NAMESPACE", name);
      return (await context.client()).request("GET /v1/schedules", {
        query: namespace === undefined ? {} : { namespace },
        signal: context.signal,
      });
    },
  },
  {
    path: ["schedule", "show"],
    summary: "Show a schedule, its last run and the runs that it missed",
    prints: ["schedule"],
    args: [schedule],
    examples: ["ployzctl schedule show prod/report"],
    run: async (context, input) => (await import("./schedule.ts")).show(context, input),
  },
  {
    path: ["schedule", "run"],
    summary: "Run a schedule's operation now",
    details: ["It is the same operation that the schedule runs, and counts as no tick of it."],
    prints: CHANGE,
    args: [schedule],
    options: PREVIEW,
    examples: ["ployzctl schedule run prod/report"],
    run: async (context, input) => (await import("./schedule.ts")).run(context, input),
  },
  {
    path: ["schedule", "pause"],
    summary: "Stop a schedule from running until it is resumed",
    prints: ["schedule"],
    args: [schedule],
    examples: ["ployzctl schedule pause prod/report"],
    run: async (context, input) => (await import("./schedule.ts")).setPaused(context, input, true),
  },
  {
    path: ["schedule", "resume"],
    summary: "Let a paused schedule run again",
    details: ["Runs that were due while it was paused are not made up for."],
    prints: ["schedule"],
    args: [schedule],
    examples: ["ployzctl schedule resume prod/report"],
    run: async (context, input) => (await import("./schedule.ts")).setPaused(context, input, false),
  },
];
