import type { Command } from "../command.ts";
import { installedVersion } from "../version.ts";

export const shellCommands: readonly Command[] = [
  {
    path: ["version"],
    summary: "Versions of ployzctl and of the daemon that it talks to",
    async run(context) {
      const client = await context.client();
      const daemon = await client
        .request("GET /v1/version", { idleMs: 3_000, signal: context.signal })
        .then(({ version, build, node }) => ({ version, build, node }))
        .catch(() => null); // none to ask is an answer here
      return { kind: "version", ...installedVersion(), node: process.version, daemon };
    },
  },
  {
    path: ["completion"],
    summary: "Completion for a shell; source what it prints",
    args: [{ name: "shell", summary: "bash, zsh or fish", required: true }],
    examples: ["source <(ployzctl completion bash)"],
    run: async (context, input) =>
      (await import("./completion.ts")).completion(input.argument("shell") ?? "", context.commands),
  },
];
