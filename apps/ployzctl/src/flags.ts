import type { Command, Option, Path } from "./command.ts";

/** Of commands that change something. */
export const PREVIEW = {
  preview: {
    type: "flag",
    short: "n",
    aliases: ["dry-run"],
    summary: "Show the plan and change nothing",
  },
} as const satisfies Readonly<Record<string, Option>>;

/** Of commands that ask for confirmation. */
export const YES = {
  yes: { type: "flag", short: "y", summary: "Do not ask for confirmation" },
} as const satisfies Readonly<Record<string, Option>>;

/** What a command prints that runs an operation. */
export const CHANGE = ["operation", "plan", "detached"] as const;

/** The one shape of what changes a namespace: the verb alone applies, `preview` or `-n` shows the plan, and `apply` is an alias. */
export function applying(command: Command, preview: Pick<Command, "summary" | "examples">): Command[] {
  const under = (verb: string): Path => [...command.path, verb];
  return [
    { ...command, aliases: [under("apply")], options: { ...command.options, ...PREVIEW } },
    {
      ...command,
      ...preview,
      path: under("preview"),
      run: (context, input) =>
        command.run(context, { ...input, flag: (name) => name === "preview" || input.flag(name) }),
    },
  ];
}
