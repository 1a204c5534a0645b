import type { Argument, Command, Option } from "../../command.ts";
import { applying, CHANGE, PREVIEW } from "../../flags.ts";
import { canaryCommands } from "./canary.ts";

type Options = Readonly<Record<string, Option>>;

const between = (source: string, target: string): readonly Argument[] => [
  { name: "source", summary: source, required: true, source: "namespace" },
  { name: "target", summary: target, required: true, source: "namespace" },
];

const branchArgs = between("The namespace to fork", "The new namespace");
const branchOptions: Options = {
  "service-mode": {
    type: "text",
    choices: ["branch", "skip"],
    summary: "Whether the branch gets the services; default branch",
  },
  "volume-mode": {
    type: "text",
    choices: ["branch", "fresh"],
    summary: "Clone volumes with their data, or create them empty; default fresh",
  },
  service: { type: "list", value: "NAME=MODE", summary: "branch or skip, for one service" },
  volume: { type: "list", value: "NAME=MODE", summary: "branch or fresh, for one volume" },
  route: {
    type: "list",
    value: "OLD=NEW",
    summary: "Replace a host or TCP port of the source; default for hosts: TARGET--HOST",
  },
  private: {
    type: "flag",
    summary: "Ask for a password at all HTTP routes; without --users, makes one and shows it once",
  },
  users: {
    type: "text",
    value: "SECRET",
    summary: "With --private: the secret with the users, of TARGET or SOURCE",
  },
  to: {
    type: "text",
    value: "MACHINE",
    source: "machine",
    summary: "Place the whole branch on this machine, and copy its data there",
  },
};

const services: readonly Argument[] = [
  {
    name: "services",
    summary: "NAMESPACE/SERVICE, of one namespace",
    required: true,
    many: true,
    source: "service",
  },
];

export const changeCommands: readonly Command[] = [
  ...applying(
    {
      path: ["branch"],
      summary: "Fork a namespace: services by digest, volumes cloned or empty",
      prints: CHANGE,
      details: [
        "Clones share unchanged blocks with their source and take the same time at any size. All volumes of one machine are cloned from the same instant. The source is not changed.",
        "With --private, the branch's HTTP routes ask for a user and a password: those of the secret that --users names, else user preview with a password that is shown once and kept as TARGET/preview-users.",
      ],
      args: branchArgs,
      options: branchOptions,
      examples: [
        "ployzctl branch prod pr-42 --volume-mode branch",
        "ployzctl branch prod pr-42 --service worker=skip --to m2",
        "ployzctl branch prod pr-42 --private",
      ],
      run: async (context, input) => (await import("./branch.ts")).branch(context, input),
    },
    {
      summary: "Preview a branch of a namespace",
      examples: ["ployzctl branch preview prod pr-42 --volume-mode branch"],
    },
  ),
  {
    path: ["branch", "prepare"],
    summary: "Store the plan of a branch for a day, to apply it unchanged",
    prints: CHANGE,
    args: branchArgs,
    options: branchOptions,
    examples: ["ployzctl branch prepare prod pr-42 --volume-mode branch"],
    run: async (context, input) => (await import("./branch.ts")).prepare(context, input),
  },
  {
    path: ["branch", "apply-prepared"],
    summary: "Apply a prepared branch; refuse if its plan would now differ",
    prints: CHANGE,
    args: [{ name: "plan", summary: "The id that branch prepare printed", required: true }],
    examples: ["ployzctl branch apply-prepared 01M849JKMJKJNHP441C7VF0Z2Q"],
    run: async (context, input) => (await import("./branch.ts")).applyPrepared(context, input),
  },
  {
    path: ["branch", "render-manifest"],
    summary: "Render a branch as a manifest (TOML)",
    prints: ["manifest"],
    details: [
      "A manifest cannot express clones or --to: in the rendered manifest volumes are empty and machines are not fixed.",
    ],
    args: branchArgs,
    options: branchOptions,
    examples: ["ployzctl branch render-manifest prod pr-42 > pr-42.toml"],
    run: async (context, input) => (await import("./branch.ts")).renderManifest(context, input),
  },
  ...applying(
    {
      path: ["promote"],
      summary: "Deploy the services of one namespace into another",
      prints: CHANGE,
      details: [
        "The target keeps its own routes. Services are deployed by digest. The target keeps its data, except for volumes named with replace. Replaced data is kept for the retention time, and rollback --volumes restores it.",
      ],
      args: between("The namespace to promote", "The namespace to deploy into"),
      options: {
        volume: {
          type: "list",
          value: "NAME=MODE",
          summary: "keep or replace, for one volume; default keep",
        },
      },
      examples: ["ployzctl promote pr-42 prod -n", "ployzctl promote pr-42 prod --volume assets=replace"],
      run: async (context, input) => (await import("./promote.ts")).promote(context, input),
    },
    {
      summary: "Preview the promotion of a namespace",
      examples: ["ployzctl promote preview pr-42 prod"],
    },
  ),
  ...applying(
    {
      path: ["rollback"],
      summary: "Roll back to an earlier commit (data only with --volumes)",
      prints: CHANGE,
      details: [
        "A rollback is a new commit, so it can be rolled back in turn. With --volumes, volumes get the data that they held when that commit was replaced; their present data is kept.",
      ],
      args: [{ name: "namespace", summary: "Name of the namespace", required: true, source: "namespace" }],
      options: {
        to: {
          type: "text",
          value: "COMMIT",
          summary: "Revision, or operation id or its beginning; default: the commit before the last",
        },
        volumes: {
          type: "text",
          value: "WHICH",
          summary: "Whose data to restore: none, all, or names separated by commas; default none",
        },
      },
      examples: ["ployzctl rollback prod", "ployzctl rollback prod --to 412 --volumes all"],
      run: async (context, input) => (await import("./rollback.ts")).rollback(context, input),
    },
    {
      summary: "Preview the rollback of a namespace",
      examples: ["ployzctl rollback preview prod --to 412"],
    },
  ),
  ...applying(
    {
      path: ["migrate"],
      summary: "Move a service with its volumes to another machine",
      prints: CHANGE,
      details: [
        "Data is copied while the service runs; the service stops only for the last difference, and the gateways hold its requests meanwhile. If a step fails before the commit, the source serves again. The source's copy is retired and kept: moving back sends differences only. A standby on the target spares all but the last difference.",
        "With --from-standby the copy on the target becomes the volume, while the machine of the volume does not answer. When that machine is back, its copy is retired with a snapshot of its last state.",
      ],
      args: [
        {
          name: "service",
          summary: "NAMESPACE/SERVICE",
          required: true,
          source: "service",
          sets: ["namespace"],
        },
      ],
      options: {
        to: { type: "text", value: "MACHINE", source: "machine", summary: "The target machine; required" },
        "max-rounds": {
          type: "number",
          value: "N",
          summary: "Rounds of copying while the service runs, 1 to 20; default 5",
        },
        "max-downtime": {
          type: "text",
          value: "TIME",
          summary: "Refuse to stop the service if copying the last difference would take longer, e.g. 500ms",
        },
        "from-standby": {
          type: "flag",
          summary: "The machine of its data is dead: serve from the standby on --to",
        },
        "accept-loss": {
          type: "list",
          value: "NS/VOLUME",
          source: "volume",
          summary: "With --from-standby: give up later writes of this volume; once for each volume",
        },
        rate: {
          type: "text",
          value: "SIZE",
          summary: "Limit on bytes per second while the service runs, e.g. 50M",
          sets: ["bytesPerSecond"],
        },
      },
      examples: [
        "ployzctl migrate prod/db --to m3",
        "ployzctl migrate prod/db --to m3 --max-downtime 2s --rate 50M",
        "ployzctl migrate prod/db --to m3 --from-standby --accept-loss prod/pgdata",
      ],
      run: async (context, input) => (await import("./migrate.ts")).migrate(context, input),
    },
    {
      summary: "Preview the migration of a service",
      examples: ["ployzctl migrate preview prod/db --to m3"],
    },
  ),
  {
    path: ["restart"],
    prints: CHANGE,
    summary: "Restart services: replace their instances as a deploy does",
    details: [
      "Successors become ready before the old instances go, unless the service updates stop-first. They get the present versions of their secrets.",
    ],
    args: services,
    options: PREVIEW,
    examples: ["ployzctl restart prod/web", "ployzctl restart prod/web prod/worker -n"],
    run: async (context, input) => (await import("./services.ts")).onServices(context, input, "restart"),
  },
  {
    path: ["stop"],
    prints: CHANGE,
    summary: "Stop services, and keep their data, routes and specs",
    details: [
      "A stopped service stays stopped over reboots and deploys until ployzctl start. Its routes answer 503.",
    ],
    args: services,
    options: PREVIEW,
    examples: ["ployzctl stop prod/web"],
    run: async (context, input) => (await import("./services.ts")).onServices(context, input, "stop"),
  },
  {
    path: ["start"],
    prints: CHANGE,
    summary: "Start stopped services",
    args: services,
    options: PREVIEW,
    examples: ["ployzctl start prod/web"],
    run: async (context, input) => (await import("./services.ts")).onServices(context, input, "start"),
  },
  ...canaryCommands,
  {
    path: ["route", "maintenance"],
    prints: CHANGE,
    summary: "Start or stop maintenance: HTTP routes answer with a page",
    details: [
      "Every machine's gateway answers 503 with a page and Retry-After; instances keep running. It is a commit, and lasts over deploys until off. TCP routes and redirects are not touched.",
    ],
    args: [
      { name: "target", summary: "NAMESPACE or NAMESPACE/SERVICE", required: true, source: "service" },
      { name: "state", summary: "on or off", required: true, choices: ["on", "off"] },
    ],
    options: PREVIEW,
    examples: ["ployzctl route maintenance prod on", "ployzctl route maintenance prod/web off"],
    run: async (context, input) => (await import("./services.ts")).maintenance(context, input),
  },
  {
    path: ["scale"],
    prints: CHANGE,
    summary: "Scale services to a number of instances",
    details: ["The next deploy of a manifest sets the number that the manifest has."],
    args: [
      {
        name: "counts",
        summary: "NAMESPACE/SERVICE=N; the namespace of the first holds for the others",
        required: true,
        many: true,
        source: "service",
      },
    ],
    options: PREVIEW,
    examples: ["ployzctl scale prod/web=5", "ployzctl scale prod/web=5 worker=2 -n"],
    run: async (context, input) => (await import("./services.ts")).scale(context, input),
  },
];
