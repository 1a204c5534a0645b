import type { Command } from "../command.ts";
import { installedVersion } from "../version.ts";

export const shellCommands: readonly Command[] = [
  {
    path: ["version"],
    summary: "Show the versions of ployzctl and of its daemon",
    examples: ["ployzctl version", "ployzctl --version --json"],
    async run(context) {
      const client = await context.client();
      const daemon = await client
        .request("GET /v1/version", { idleMs: 3_000, signal: context.signal })
        .then(({ version, build, node }) => ({ version, build, node }))
        .catch(() => null); // no daemon is a valid answer
      return { kind: "version", ...installedVersion(), node: process.version, daemon };
    },
  },
  {
    path: ["completion"],
    summary: "Print the completion script of a shell",
    details: ["Completes commands, flags and their values, and asks the daemon for names."],
    args: [{ name: "shell", summary: "bash, zsh or fish", required: true, choices: ["bash", "zsh", "fish"] }],
    examples: [
      "source <(ployzctl completion bash)",
      "ployzctl completion zsh > ~/.zfunc/_ployzctl",
      "ployzctl completion fish > ~/.config/fish/completions/ployzctl.fish",
    ],
    run: async (_context, input) => {
      const { SCRIPTS } = await import("../completion/scripts.ts");
      return { kind: "text", text: SCRIPTS[input.argument("shell") ?? ""] ?? "" };
    },
  },
];
