import type { Command, Option } from "../../command.ts";
import { applying, CHANGE, PREVIEW } from "../../flags.ts";

const pull: Option = {
  type: "text",
  choices: ["missing", "always"],
  summary: "When to pull a tag: only if no machine has it, or always; default missing",
};

export const deployCommands: readonly Command[] = [
  ...applying(
    {
      path: ["deploy"],
      summary: "Deploy a manifest",
      prints: CHANGE,
      details: [
        "New instances start beside the old ones. When all are ready, one commit switches services and routes together, and then the old instances drain. Unchanged services are not touched. Ctrl-C before the commit undoes the deploy; after it, Ctrl-C only detaches.",
        "Services and routes of the last commit that the manifest leaves out are removed after a question; without a terminal the deploy is refused, unless --yes is given. Volumes that it leaves out stay.",
      ],
      options: {
        file: {
          type: "text",
          short: "f",
          value: "FILE",
          source: "file",
          summary: "The manifest, or - for stdin; default ./ployz.toml or ./ployz.json",
        },
        namespace: {
          type: "text",
          value: "NS",
          source: "namespace",
          summary: "Deploy into this namespace instead of the manifest's",
        },
        pull,
        yes: {
          type: "flag",
          short: "y",
          aliases: ["prune"],
          summary: "Remove services and routes that the manifest leaves out, without asking",
        },
      },
      examples: ["ployzctl deploy -f ployz.toml", "ployzctl deploy -n -f ployz.toml"],
      run: async (context, input) => (await import("./deploy.ts")).deploy(context, input),
    },
    {
      summary: "Preview the deploy of a manifest",
      examples: ["ployzctl deploy preview -f ployz.toml"],
    },
  ),
  {
    path: ["deploy", "service"],
    summary: "Deploy one service of a namespace and leave the others unchanged",
    prints: CHANGE,
    details: [
      "Only what the flags name changes; environment variables and ports are added or replaced one by one. With --image it can add a new service. It is refused if another service would change too, because a tag has moved or a secret was set.",
    ],
    args: [
      { name: "service", summary: "Name of the service", required: true },
      { name: "command", summary: "After --: the program and its arguments", many: true },
    ],
    options: {
      namespace: { type: "text", value: "NS", source: "namespace", summary: "The namespace; required" },
      image: { type: "text", value: "REF", summary: "The image" },
      env: { type: "list", short: "e", value: "NAME=VALUE", summary: "Set an environment variable" },
      port: { type: "list", short: "p", value: "NAME=PORT", summary: "Set a named port" },
      replicas: { type: "number", value: "N", summary: "Number of instances" },
      pull,
      ...PREVIEW,
    },
    examples: [
      "ployzctl deploy service web --namespace pr-42 --image app:v2",
      "ployzctl deploy service web --namespace prod --replicas 3",
      "ployzctl deploy service job --namespace prod -e QUEUE=mail -- node worker.js",
    ],
    run: async (context, input) => (await import("./service.ts")).deployService(context, input),
  },
];
