import type { Command, Option } from "../../command.ts";
import { PREVIEW, YES } from "../../flags.ts";

const MACHINES = { name: "machine", summary: "Its name", required: true, many: true } as const;
const REPLICAS = {
  replicas: { type: "number", value: "N", summary: "On how many machines the store is then: 1, 3 or 5" },
} as const satisfies Readonly<Record<string, Option>>;
const PASSPHRASE = {
  "passphrase-stdin": { type: "flag", summary: "Read the passphrase from stdin" },
  "passphrase-file": { type: "text", value: "FILE", summary: "Read the passphrase from a file" },
} as const satisfies Readonly<Record<string, Option>>;

export const storeCommands: readonly Command[] = [
  {
    path: ["machine", "storage", "promote"],
    summary: "Give machines store authority: the store is on 1, 3 or 5 of them",
    details:
      "The store moves there as a new generation: writes wait for some seconds, what runs and its traffic do not notice.\n" +
      "As many machines as --replicas says are the whole new set, so the store can also move off a machine. Fewer come\n" +
      "to those that hold it already. Interrupted, the same command from any machine finishes it or starts again.",
    args: [MACHINES],
    options: { ...REPLICAS, ...PREVIEW },
    examples: ["ployzctl machine storage promote --replicas 3 m1 m2 m3"],
    run: async (context, input) => (await import("./store.ts")).move(context, input, "promote"),
  },
  {
    path: ["machine", "storage", "demote"],
    summary: "Relieve machines of the store; 1 or 3 others keep it",
    args: [MACHINES],
    options: { ...REPLICAS, ...PREVIEW },
    examples: ["ployzctl machine storage demote m2 m3"],
    run: async (context, input) => (await import("./store.ts")).move(context, input, "demote"),
  },
  {
    path: ["store", "status"],
    summary: "Which machines hold the store, its quorum, sizes, and what each machine knows of it",
    run: async (context) => (await context.client()).request("GET /v1/store", { signal: context.signal }),
  },
  {
    path: ["store", "snapshot"],
    summary: "A backup of the store in one file",
    details:
      "On a machine that holds the store. With a passphrase it is encrypted, and can bring secrets back anywhere.",
    options: {
      output: { type: "text", short: "o", value: "FILE", summary: "Where to write it" },
      ...PASSPHRASE,
    },
    examples: ["ployzctl store snapshot -o backup.ployz --passphrase-file /root/backup.pass"],
    run: async (context, input) => (await import("./backup.ts")).snapshot(context, input),
  },
  {
    path: ["store", "restore"],
    summary: "Put the store back to a backup",
    details:
      "Commits, secrets and operations are as in the backup; who is a member stays as it is now. Refused when the store\n" +
      "has gone on since, unless --yes. Instances are not touched: deploy or roll back to bring them to the restored state.",
    args: [{ name: "file", summary: "The backup", required: true }],
    options: { ...PASSPHRASE, ...PREVIEW, ...YES },
    run: async (context, input) => (await import("./backup.ts")).restore(context, input),
  },
  {
    path: ["store", "recover"],
    summary: "All store machines are lost: found the store anew from a survivor's mirror",
    details:
      "Says up to where it is recovered and what is lost, and asks. Refused while the store still answers.\n" +
      "Names machines to hold it then; default: the one that is asked.",
    args: [{ name: "machine", summary: "Who holds it then", many: true }],
    options: { ...PREVIEW, ...YES },
    run: async (context, input) => (await import("./store.ts")).recover(context, input),
  },
];
