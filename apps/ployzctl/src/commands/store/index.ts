import type { Command, Option } from "../../command.ts";
import { CHANGE, PREVIEW, YES } from "../../flags.ts";
import { KEEP } from "../backup/keep.ts";

const MACHINES = {
  name: "machine",
  summary: "Names of the machines",
  required: true,
  many: true,
  source: "machine",
} as const;
const REPLICAS = {
  replicas: { type: "number", value: "N", summary: "Number of machines that then hold the store: 1, 3 or 5" },
} as const satisfies Readonly<Record<string, Option>>;
const PASSPHRASE = {
  "passphrase-stdin": { type: "flag", summary: "Read the passphrase from stdin" },
  "passphrase-file": {
    type: "text",
    value: "FILE",
    source: "file",
    summary: "Read the passphrase from a file",
  },
} as const satisfies Readonly<Record<string, Option>>;

export const storeCommands: readonly Command[] = [
  {
    path: ["machine", "storage", "promote"],
    summary: "Choose which machines hold the store (1, 3 or 5)",
    prints: ["store-plan", "store-moved"],
    details: [
      "The store moves as a new generation: writes wait for some seconds; workloads and traffic are not affected. If you name as many machines as --replicas, they are the whole new set, so the store can also move off a machine; fewer are added to the present ones. If interrupted, run the same command on any machine to finish it.",
    ],
    args: [MACHINES],
    options: { ...REPLICAS, ...PREVIEW },
    examples: ["ployzctl machine storage promote --replicas 3 m1 m2 m3"],
    run: async (context, input) => (await import("./store.ts")).move(context, input, "promote"),
  },
  {
    path: ["machine", "storage", "demote"],
    summary: "Move the store off machines; 1 or 3 others keep it",
    prints: ["store-plan", "store-moved"],
    args: [MACHINES],
    options: { ...REPLICAS, ...PREVIEW },
    examples: ["ployzctl machine storage demote m2 m3"],
    run: async (context, input) => (await import("./store.ts")).move(context, input, "demote"),
  },
  {
    path: ["store", "status"],
    summary: "Show the store: its machines, quorum, sizes and generations",
    prints: ["store"],
    examples: ["ployzctl store status"],
    run: async (context) => (await context.client()).request("GET /v1/store", { signal: context.signal }),
  },
  {
    path: ["store", "snapshot"],
    summary: "Back up the store to one file, or to a repository",
    prints: ["store-snapshot", ...CHANGE],
    details: [
      "To a file, run it on a machine that holds the store. With a passphrase the backup is encrypted, and its secrets can be restored after all store machines are lost.",
      "To a repository for backups, run it anywhere: one of those machines makes it, and the repository's password is its passphrase.",
    ],
    options: {
      output: {
        type: "text",
        short: "o",
        value: "FILE",
        source: "file",
        summary: "The file to write",
      },
      repository: { type: "text", value: "NAME", summary: "Instead of a file: a repository for backups" },
      ...KEEP,
      ...PASSPHRASE,
      ...PREVIEW,
    },
    examples: [
      "ployzctl store snapshot -o backup.ployz --passphrase-file backup.pass",
      "ployzctl store snapshot --repository offsite --keep-last 28",
    ],
    run: async (context, input) => (await import("./backup.ts")).snapshot(context, input),
  },
  {
    path: ["store", "restore"],
    summary: "Restore the store from a backup",
    prints: ["store-plan", "store-moved"],
    details: [
      "Commits, secrets and operations are restored; membership stays as it is now. Refused if the store has newer commits than the backup, unless you confirm or pass --yes. Instances are not touched: deploy or roll back to apply the restored state.",
    ],
    args: [{ name: "file", summary: "The backup", source: "file" }],
    options: {
      repository: { type: "text", value: "NAME", summary: "Instead of a file: a repository for backups" },
      backup: { type: "text", value: "ID", summary: "Which one of the repository; default: the newest" },
      ...PASSPHRASE,
      ...PREVIEW,
      ...YES,
    },
    examples: [
      "ployzctl store restore backup.ployz --passphrase-file backup.pass",
      "ployzctl store restore --repository offsite",
    ],
    run: async (context, input) => (await import("./backup.ts")).restore(context, input),
  },
  {
    path: ["store", "repair"],
    summary: "Repair a record that cannot be read",
    prints: ["store-repaired"],
    details: [
      "Writes the last readable value that this machine has kept, or removes the record when there was none. status names the record. For a commit: ployzctl namespace repair; for an operation: ployzctl ops abort.",
    ],
    args: [{ name: "record", summary: "The record, as status names it: fact.KEY", required: true }],
    options: {
      "replace-newer": {
        type: "flag",
        summary: "Also replace a record that a newer version of Ployz wrote",
      },
    },
    examples: ["ployzctl store repair fact.subnet.2"],
    run: async (context, input) => {
      const replaceNewer = input.flag("replace-newer");
      const body = { record: input.argument("record") ?? "", ...(replaceNewer && { replaceNewer }) };
      return (await context.client()).request("POST /v1/store/repair", { body, signal: context.signal });
    },
  },
  {
    path: ["store", "recover"],
    summary: "Rebuild the store from a surviving mirror",
    prints: ["store-plan", "store-moved"],
    details: [
      "For the case that all store machines are lost. Shows how far the mirror reaches and the losses, and asks. Refused while the store still answers.",
    ],
    args: [
      {
        name: "machine",
        summary: "Machines that then hold the store; default: this one",
        many: true,
        source: "machine",
      },
    ],
    options: { ...PREVIEW, ...YES },
    examples: ["ployzctl store recover -n", "ployzctl store recover m2"],
    run: async (context, input) => (await import("./store.ts")).recover(context, input),
  },
];
