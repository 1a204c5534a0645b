import type { Command } from "../../command.ts";
import { CHANGE, PREVIEW, YES } from "../../flags.ts";
import { needLabel } from "../../names.ts";
import { KEEP } from "../backup/keep.ts";

const schedule = {
  name: "schedule",
  summary: "NAMESPACE/SCHEDULE, or the name of one of the cluster",
  required: true,
} as const;
const own = { name: "name", summary: "Its name among the schedules of the cluster", required: true } as const;

export const scheduleCommands: readonly Command[] = [
  {
    path: ["schedule", "add"],
    summary: "Let the cluster run something by itself at its times",
    details: [
      "store-backup copies the store to a backup repository, from one of its machines. image-prune removes images and bundles that nothing needs, on all machines. volume-prune deletes expired snapshots and copies of each namespace, one schedule for each.",
      "Schedules of jobs, snapshots, standbys and backups of volumes are parts of a manifest. One with the name of a present one replaces it. A run that was missed is made up for once, unless --report-missed.",
    ],
    prints: CHANGE,
    args: [own],
    options: {
      run: {
        type: "text",
        value: "OPERATION",
        summary: "store-backup, image-prune or volume-prune",
        sets: ["runs"],
      },
      cron: {
        type: "text",
        value: "FIELDS",
        summary: "Minute, hour, day, month and weekday, for example '0 3 * * *'",
        sets: ["schedule.cron", "schedule"],
      },
      every: {
        type: "text",
        value: "DURATION",
        summary: "An interval instead, for example 6h",
        sets: ["schedule.every", "schedule"],
      },
      timezone: {
        type: "text",
        value: "ZONE",
        summary: "IANA time zone of --cron; default UTC",
        sets: ["schedule.timezone"],
      },
      jitter: {
        type: "text",
        value: "DURATION",
        summary: "How much later it runs at most, always as much",
        sets: ["schedule.jitter"],
      },
      deadline: {
        type: "text",
        value: "DURATION",
        summary: "How late a run may start; default 1m",
        sets: ["schedule.deadline"],
      },
      "report-missed": { type: "flag", summary: "Report missed runs, and make up for none" },
      repository: {
        type: "text",
        value: "NAME",
        summary: "Of store-backup; not needed where the cluster has one",
      },
      ...KEEP,
      ...PREVIEW,
    },
    examples: [
      "ployzctl schedule add store --run store-backup --every 6h --keep-last 28",
      "ployzctl schedule add tidy --run volume-prune --cron '0 4 * * 0'",
    ],
    run: async (context, input) => (await import("./schedule.ts")).add(context, input),
  },
  {
    path: ["schedule", "rm"],
    summary: "Remove a schedule of the cluster",
    prints: CHANGE,
    args: [own],
    options: { ...PREVIEW, ...YES },
    examples: ["ployzctl schedule rm tidy"],
    run: async (context, input) => (await import("./schedule.ts")).remove(context, input),
  },
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
