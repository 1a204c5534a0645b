import type { Command, Option } from "../../command.ts";
import { PREVIEW } from "../../flags.ts";

const pull: Option = {
  type: "text",
  choices: ["missing", "always"],
  summary: "Whether a tag is asked for at the registry again; default missing",
};
const options: Readonly<Record<string, Option>> = {
  file: {
    type: "text",
    short: "f",
    value: "FILE",
    summary: "The manifest, or - for stdin; default ./ployz.toml or ./ployz.json",
  },
  namespace: { type: "text", value: "NS", summary: "Instead of the manifest's own" },
  pull,
};

export const deployCommands: readonly Command[] = [
  {
    path: ["deploy"],
    summary: "Make a namespace what a manifest says",
    details:
      "New instances start beside what runs, all have to become ready, one commit flips services and routes together, and then the\n" +
      "old ones drain. What is the same and runs is not touched. Ctrl-C before the commit undoes; after it, it only leaves.",
    options: { ...options, ...PREVIEW },
    examples: ["ployzctl deploy -n -f ployz.toml", "ployzctl deploy -f ployz.toml"],
    run: async (context, input) =>
      (await import("./deploy.ts")).deploy(context, input, input.flag("preview")),
  },
  {
    path: ["deploy", "preview"],
    summary: "Show what a deploy would change, and change nothing",
    options,
    run: async (context, input) => (await import("./deploy.ts")).deploy(context, input, true),
  },
  {
    path: ["deploy", "service"],
    summary: "Change one service of a namespace, and leave the rest as it is; with an image, also a new one",
    details:
      "What is not named stays as it is committed: environment variables and ports are added or replaced one by one. It is refused when the\n" +
      "rest of the namespace would change too, because a tag means another image now.",
    args: [
      { name: "service", summary: "Its name", required: true },
      { name: "command", summary: "After --: the program and its arguments", many: true },
    ],
    options: {
      namespace: { type: "text", value: "NS", summary: "The namespace; required" },
      image: { type: "text", value: "REF", summary: "The image" },
      env: { type: "list", short: "e", value: "NAME=VALUE", summary: "An environment variable" },
      port: { type: "list", short: "p", value: "NAME=PORT", summary: "A named port" },
      replicas: { type: "number", value: "N", summary: "Number of instances" },
      pull,
      ...PREVIEW,
    },
    examples: [
      "ployzctl deploy service web --namespace pr-42 --image app:v2",
      "ployzctl deploy service worker --namespace prod --image app:v2 -e QUEUE=mail -- node worker.js",
    ],
    run: async (context, input) => (await import("./service.ts")).deployService(context, input),
  },
];
