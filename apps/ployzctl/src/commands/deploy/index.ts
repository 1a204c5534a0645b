import type { Command, Option } from "../../command.ts";
import { applying, CHANGE, PREVIEW } from "../../flags.ts";

const pull: Option = {
  type: "text",
  choices: ["missing", "always"],
  summary: "When to pull a tag: only if no machine has it, or always; default missing",
};

export const deployCommands: readonly Command[] = [
  {
    path: ["compose", "convert"],
    summary: "Print a Compose file as a manifest",
    prints: ["text"],
    details: [
      "Each key that a manifest has nothing for is an error with its file and line, and what to use instead. Values of env_file are in the manifest.",
    ],
    args: [{ name: "file", summary: "The Compose file; default ./compose.yaml", source: "file" }],
    options: {
      file: {
        type: "list",
        short: "f",
        value: "FILE",
        source: "file",
        summary: "A Compose file to lay over it",
      },
      namespace: { type: "text", value: "NS", summary: "The namespace, instead of the file's name" },
      "env-file": { type: "list", value: "FILE", source: "file", summary: "Values of its variables" },
    },
    examples: [
      "ployzctl compose convert compose.yaml > ployz.toml",
      "ployzctl compose convert -f compose.yaml -f compose.prod.yaml",
    ],
    run: async (context, input) => (await import("./compose.ts")).convert(context, input),
  },
  ...applying(
    {
      path: ["deploy"],
      summary: "Deploy a manifest",
      prints: CHANGE,
      details: [
        "New instances start beside the old ones. When all are ready, one commit switches services and routes together, and then the old instances drain. Unchanged services are not touched. Ctrl-C before the commit undoes the deploy; after it, Ctrl-C only detaches.",
        "A service with `build` is built by this machine's docker or buildah, pushed to the daemon's machine as NAMESPACE/SERVICE:build, and deployed by its digest; a preview builds and pushes too.",
        "Services and routes of the last commit that the manifest leaves out are removed after a question; without a terminal the deploy is refused, unless --yes is given. Volumes that it leaves out stay.",
        "With --canary, each service that would get other instances stays, and SERVICE-canary runs beside it and gets that share of the requests of its routes, until `canary finish` or `canary undo`; no other deploy of the namespace until then. Refused for services without routes or with a single-writer volume.",
        "Several manifests are laid over each other: tables are merged, other values replaced. A file named .yaml or .yml is a Compose file: each key that a manifest has nothing for is an error that says what to use; x-ployz in a service adds fields of the manifest.",
        "Several Compose files are merged by Compose's rules, with !reset and !override. A compose.override.yaml is read only where it is named, and never beside a manifest.",
      ],
      options: {
        file: {
          type: "list",
          short: "f",
          value: "FILE",
          source: "file",
          summary: "The manifest or Compose file, or - for stdin; default ./ployz.toml; later ones win",
        },
        set: { type: "list", value: "PATH=VALUE", summary: "Set a field, e.g. services.web.replicas=3" },
        "env-file": {
          type: "list",
          value: "FILE",
          source: "file",
          summary: "Put the variables of a file into the manifest's strings",
        },
        namespace: {
          type: "text",
          value: "NS",
          source: "namespace",
          summary: "Deploy into this namespace instead of the manifest's",
        },
        canary: {
          type: "text",
          value: "SHARE",
          summary: "Try changed services beside the present ones, with a share of the requests: 10%",
        },
        pull,
        "no-build": {
          type: "flag",
          summary: "Take the last build of each service with `build`, and refuse if there is none",
        },
        yes: {
          type: "flag",
          short: "y",
          aliases: ["prune"],
          summary: "Remove services and routes that the manifest leaves out, without asking",
        },
      },
      examples: [
        "ployzctl deploy -f ployz.toml",
        "ployzctl deploy -n -f ployz.toml",
        "ployzctl deploy -f ployz.toml --canary 10%",
        "ployzctl deploy -f base.toml -f prod.toml --set services.web.replicas=3",
        "ployzctl deploy -f compose.yaml --namespace shop --env-file .env",
        "ployzctl deploy -n -f compose.yaml -f compose.prod.yaml",
      ],
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
