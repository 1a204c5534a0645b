import type { Command } from "../../command.ts";
import { CHANGE, PREVIEW } from "../../flags.ts";

export const canaryCommands: readonly Command[] = [
  ...(
    [
      {
        word: "finish",
        summary: "Deploy a canary's version as a whole, and remove the canary",
        details: [
          "The service gets the canary's version, with the routes and the number of instances of its manifest: new instances start, become ready, and replace the old ones and the canary in one commit.",
        ],
      },
      {
        word: "undo",
        summary: "Remove a canary: the present version gets all requests again",
        details: ["Requests in flight at the canary are finished. Jobs that ran for its deploy stay done."],
      },
    ] as const
  ).map(
    ({ word, ...told }): Command => ({
      path: ["canary", word],
      prints: CHANGE,
      ...told,
      args: [
        {
          name: "target",
          summary: "NAMESPACE/SERVICE, or NAMESPACE for all its canaries",
          required: true,
          source: "service",
        },
      ],
      options: PREVIEW,
      examples: [`ployzctl canary ${word} prod/web`],
      run: async (context, input) =>
        (await import("./services.ts")).onCanaries(context, input, `canary-${word}`),
    }),
  ),
];
