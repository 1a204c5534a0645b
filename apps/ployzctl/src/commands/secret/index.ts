import type { Command } from "../../command.ts";
import { needLabel } from "../../names.ts";
import { needInNamespace } from "../../values.ts";

const secret = { name: "secret", summary: "NAMESPACE/SECRET", required: true } as const;

export const secretCommands: readonly Command[] = [
  {
    path: ["secret", "set"],
    summary: "Set a secret of a namespace; the value is read from stdin, and nothing shows it again",
    details:
      'A service has it as a variable of its environment: env = { DATABASE_URL = { secret = "db-url" } }. Services that have it already\n' +
      "get the new value with their next deploy. One newline at the end of stdin is not part of the value. At a terminal it is typed unseen.",
    args: [secret],
    options: { "no-branch": { type: "flag", summary: "Branches of the namespace do not get it" } },
    examples: ["ployzctl secret set prod/db-url < db-url.txt"],
    run: async (context, input) => (await import("./secret.ts")).set(context, input),
  },
  {
    path: ["secret", "ls"],
    summary: "Secrets without their values: who set them, who uses them, and who has an older value",
    args: [{ name: "namespace", summary: "Of this namespace only" }],
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
    summary: "Remove a secret that nothing uses",
    args: [secret],
    async run(context, input) {
      const { namespace: ns, name } = await needInNamespace("SECRET", input.argument("secret"));
      return (await context.client()).request("DELETE /v1/secrets/:ns/:name", {
        params: { ns, name },
        signal: context.signal,
      });
    },
  },
];
