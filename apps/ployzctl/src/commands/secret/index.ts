import type { Command } from "../../command.ts";
import { needLabel } from "../../names.ts";
import { needInNamespace } from "../../values.ts";

const secret = { name: "secret", summary: "NAMESPACE/SECRET", required: true } as const;

export const secretCommands: readonly Command[] = [
  {
    path: ["secret", "set"],
    summary: "Set a secret of a namespace from stdin",
    prints: ["secret-set"],
    details: [
      'No command prints the value again. A service gets it as an environment variable: env = { DATABASE_URL = { secret = "db-url" } }. Services that use it get a new value with their next deploy.',
      "One newline at the end of stdin is not part of the value. At a terminal, the typed value is not shown.",
    ],
    args: [secret],
    options: { "no-branch": { type: "flag", summary: "Withhold it from branches of the namespace" } },
    examples: ["ployzctl secret set prod/db-url < db-url.txt"],
    run: async (context, input) => (await import("./secret.ts")).set(context, input),
  },
  {
    path: ["secret", "ls"],
    summary: "List secrets: who set them, who uses them, who has an old value",
    prints: ["secrets"],
    args: [{ name: "namespace", summary: "Only this namespace", source: "namespace" }],
    examples: ["ployzctl secret ls prod"],
    async run(context, input) {
      const name = input.argument("namespace");
      const namespace = name === undefined ? undefined : await needLabel("NAMESPACE", name);
      return (await context.client()).request("GET /v1/secrets", {
        query: namespace === undefined ? {} : { namespace },
        signal: context.signal,
      });
    },
  },
  {
    path: ["secret", "rm"],
    summary: "Remove a secret that no service uses",
    prints: ["secret-removed"],
    args: [secret],
    examples: ["ployzctl secret rm prod/db-url"],
    async run(context, input) {
      const { namespace: ns, name } = await needInNamespace("SECRET", input.argument("secret"));
      return (await context.client()).request("DELETE /v1/secrets/:ns/:name", {
        params: { ns, name },
        signal: context.signal,
      });
    },
  },
];
