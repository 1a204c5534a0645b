import { didYouMean } from "@ployz/primitives/client";
import type { Command } from "../command.ts";
import { usage } from "../errors.ts";
import { installedVersion } from "../version.ts";

export const shellCommands: readonly Command[] = [
  {
    path: ["version"],
    summary: "Show the versions of ployzctl and of its daemon",
    prints: ["version"],
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
    prints: ["text"],
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
  {
    path: ["schema"],
    summary: "Print the JSON Schema of the documents of --json",
    details: [
      "Without a kind: of all documents, and of the lines of --events (event) and logs --follow (log-event). docs/cli.md names the kinds of each command.",
    ],
    prints: ["text"],
    args: [{ name: "kind", summary: "Only documents of this kind", many: true }],
    examples: ["ployzctl schema", "ployzctl schema instances"],
    async run(_context, input) {
      const { jsonSchema, NAMES } = await import("../schema.ts");
      const kinds = input.arguments("kind");
      const wrong = kinds.find((kind) => !NAMES.includes(kind));
      if (wrong !== undefined) throw unknownKind(wrong, NAMES);
      return { kind: "text", text: kinds.length === 0 ? jsonSchema() : jsonSchema(kinds) };
    },
  },
];

function unknownKind(kind: string, names: readonly string[]): Error {
  const near = didYouMean(kind, names);
  return usage(
    `there is no document of the kind ${JSON.stringify(kind.slice(0, 60))}`,
    near === undefined ? `kinds: ${names.join(", ")}` : `did you mean ployzctl schema ${near}?`,
  );
}
