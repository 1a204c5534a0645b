import type { Argument, Command, Option } from "../../command.ts";
import { PREVIEW } from "../../flags.ts";

type Options = Readonly<Record<string, Option>>;

const between = (source: string, target: string): readonly Argument[] => [
  { name: "source", summary: source, required: true },
  { name: "target", summary: target, required: true },
];

const branchArgs = between("The namespace that is branched", "The new namespace");
const branchOptions: Options = {
  "service-mode": {
    type: "text",
    choices: ["branch", "skip"],
    summary: "Whether services come along; default branch",
  },
  "volume-mode": {
    type: "text",
    choices: ["branch", "fresh"],
    summary: "Whether volumes are clones with their data, or new and empty; default fresh",
  },
  service: { type: "list", value: "NAME=MODE", summary: "branch or skip, for one service" },
  volume: { type: "list", value: "NAME=MODE", summary: "branch or fresh, for one volume" },
  route: {
    type: "list",
    value: "OLD=NEW",
    summary: "A host or TCP port of the source, and the branch's; default for hosts: TARGET--HOST",
  },
  to: {
    type: "text",
    value: "MACHINE",
    summary: "Everything of the branch on this machine; data is then copied",
  },
};

const migrateArgs: readonly Argument[] = [{ name: "service", summary: "NAMESPACE/SERVICE", required: true }];
const migrateOptions: Options = {
  to: { type: "text", value: "MACHINE", summary: "Where it goes; required" },
  "max-rounds": {
    type: "number",
    value: "N",
    summary: "Rounds of copying while it runs, 1 to 20; default 5",
  },
  "max-downtime": {
    type: "text",
    value: "TIME",
    summary: "Refuse to stop the service when the last difference would take longer, e.g. 500ms",
  },
  rate: { type: "text", value: "SIZE", summary: "Most bytes per second while the service runs, e.g. 50M" },
};

export const changeCommands: readonly Command[] = [
  {
    path: ["branch", "preview"],
    summary: "Show what a branch of a namespace would be, and change nothing",
    args: branchArgs,
    options: branchOptions,
    examples: ["ployzctl branch preview prod pr-42 --volume-mode branch"],
    run: async (context, input) => (await import("./branch.ts")).branch(context, input, true),
  },
  {
    path: ["branch", "apply"],
    summary: "Fork a namespace: its services by digest, its volumes as clones or fresh, routes of its own",
    details:
      "Clones share what does not change and take the same time whatever the size. All volumes of one machine are cloned from the same\n" +
      "instant. The source is not touched.",
    args: branchArgs,
    options: { ...branchOptions, ...PREVIEW },
    examples: [
      "ployzctl branch apply prod pr-42 --volume-mode branch",
      "ployzctl branch apply prod pr-42 --service worker=skip --route www.example.com=pr-42.example.com",
    ],
    run: async (context, input) =>
      (await import("./branch.ts")).branch(context, input, input.flag("preview")),
  },
  {
    path: ["branch", "prepare"],
    summary: "Keep the plan of a branch for a day, to be looked at and applied just as it is",
    args: branchArgs,
    options: branchOptions,
    examples: ["ployzctl branch prepare prod pr-42 --volume-mode branch"],
    run: async (context, input) => (await import("./branch.ts")).prepare(context, input),
  },
  {
    path: ["branch", "apply-prepared"],
    summary: "Apply a prepared branch; refused when something else would be done by now",
    args: [{ name: "plan", summary: "As branch prepare has named it", required: true }],
    run: async (context, input) => (await import("./branch.ts")).applyPrepared(context, input),
  },
  {
    path: ["branch", "render-manifest"],
    summary: "What a branch would be, as a manifest (TOML)",
    details:
      "That volumes are clones and that everything is on one machine is nothing that a manifest can say: in it they are new and empty.",
    args: branchArgs,
    options: branchOptions,
    examples: ["ployzctl branch render-manifest prod pr-42 > pr-42.toml"],
    run: async (context, input) => (await import("./branch.ts")).renderManifest(context, input),
  },
  {
    path: ["promote"],
    summary: "Deploy into a namespace what another one runs, behind the target's own routes",
    details:
      "Services go by digest. Data stays the target's, but for volumes that are named with replace; what those held is kept for the\n" +
      "retention time, and rollback --volumes brings it back.",
    args: between("The namespace whose services are promoted", "The namespace that gets them"),
    options: {
      volume: { type: "list", value: "NAME=MODE", summary: "keep or replace, for one volume; default keep" },
      ...PREVIEW,
    },
    examples: ["ployzctl promote pr-42 prod -n", "ployzctl promote pr-42 prod --volume assets=replace"],
    run: async (context, input) => (await import("./promote.ts")).promote(context, input),
  },
  {
    path: ["rollback"],
    summary: "Make a namespace what an earlier commit says; its data only when asked",
    details:
      "It is a new commit: what it replaces stays restorable in the same way. With --volumes, data becomes what it was when the commit was\n" +
      "replaced, and what the volumes hold now is kept.",
    args: [{ name: "namespace", summary: "Its name", required: true }],
    options: {
      to: {
        type: "text",
        value: "COMMIT",
        summary:
          "Its revision, or its operation's id or the beginning of it; default: the one before the last",
      },
      volumes: {
        type: "text",
        value: "WHICH",
        summary: "none, all, or names with commas between: whose data goes back too; default none",
      },
      ...PREVIEW,
    },
    examples: ["ployzctl rollback prod", "ployzctl rollback prod --to 412 --volumes all"],
    run: async (context, input) => (await import("./rollback.ts")).rollback(context, input),
  },
  {
    path: ["migrate", "preview"],
    summary: "Show what moving a service would do, and change nothing",
    args: migrateArgs,
    options: migrateOptions,
    examples: ["ployzctl migrate preview prod/db --to m3"],
    run: async (context, input) => (await import("./migrate.ts")).migrate(context, input, true),
  },
  {
    path: ["migrate", "apply"],
    summary: "Move a service with its volumes to another machine",
    details:
      "Data is copied while the service runs; it is stopped for the last difference only. Requests wait at the gateways meanwhile. Until the\n" +
      "commit the source serves again when something fails. The source's copy is kept, retired: moving back sends differences only.",
    args: migrateArgs,
    options: { ...migrateOptions, ...PREVIEW },
    examples: [
      "ployzctl migrate apply prod/db --to m3",
      "ployzctl migrate apply prod/db --to m3 --max-downtime 2s --rate 50M",
    ],
    run: async (context, input) =>
      (await import("./migrate.ts")).migrate(context, input, input.flag("preview")),
  },
];
