import type { Command, Option } from "../../command.ts";

const options: Readonly<Record<string, Option>> = {
  file: {
    type: "text",
    short: "f",
    value: "FILE",
    summary: "The manifest, or - for stdin; default ./ployz.toml or ./ployz.json",
  },
  namespace: { type: "text", value: "NS", summary: "Instead of the manifest's own" },
  pull: {
    type: "text",
    choices: ["missing", "always"],
    summary: "Whether a tag is asked for at the registry again; default missing",
  },
};

export const deployCommands: readonly Command[] = [
  {
    path: ["deploy"],
    summary: "Make a namespace what a manifest says",
    details:
      "New instances start beside what runs, all have to become ready, one commit flips services and routes together, and then the\n" +
      "old ones drain. What is the same and runs is not touched. Ctrl-C before the commit undoes; after it, it only leaves.",
    options: {
      ...options,
      preview: { type: "flag", short: "n", summary: "Show what would change, and change nothing" },
    },
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
];
