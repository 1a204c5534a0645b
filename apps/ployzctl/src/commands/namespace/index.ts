import type { Command, Option } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { PREVIEW, YES } from "../../flags.ts";
import { needLabel } from "../../names.ts";

const namespace = { name: "namespace", summary: "Its name", required: true } as const;

const history: Pick<Command, "summary" | "args" | "options" | "run"> = {
  summary: "Every commit of a namespace, newest first: who, when, what changed",
  args: [namespace],
  options: { limit: { type: "number", value: "N", summary: "How many; default 20" } satisfies Option },
  async run(context, input) {
    return (await context.client()).request("GET /v1/namespaces/:ns/history", {
      params: { ns: await needLabel("NAMESPACE", input.argument("namespace")) },
      query: { limit: String(input.number("limit") ?? 20) },
      signal: context.signal,
    });
  },
};

export const namespaceCommands: readonly Command[] = [
  {
    path: ["namespace", "ls"],
    summary: "Namespaces with their revisions",
    async run(context) {
      const status = await (await context.client()).request("GET /v1/status", { signal: context.signal });
      return { kind: "namespaces", namespaces: status.namespaces };
    },
  },
  {
    path: ["namespace", "show"],
    summary: "What is committed for a namespace, and how much of it runs",
    args: [namespace],
    async run(context, input) {
      const name = await needLabel("NAMESPACE", input.argument("namespace"));
      const { namespaces } = await (await context.client()).request("GET /v1/status", {
        signal: context.signal,
      });
      const row = namespaces.find((one) => one.namespace === name);
      if (row !== undefined) return { kind: "namespace", ...row };
      throw new PloyzError({
        code: "no_such_namespace",
        message: `there is no namespace ${name}`,
        hint: "ployzctl namespace ls",
      });
    },
  },
  { path: ["namespace", "history"], ...history },
  {
    path: ["namespace", "rm"],
    summary:
      "Remove a namespace: routes and names first, then what runs; its volumes are kept for the retention time",
    details: "Shows what goes, and asks. What was branched from it stays, with its data.",
    args: [namespace],
    options: { ...PREVIEW, ...YES },
    examples: ["ployzctl namespace rm pr-42"],
    async run(context, input) {
      const name = await needLabel("NAMESPACE", input.argument("namespace"));
      const { changeAfterAsking } = await import("../../operation/change.ts");
      return changeAfterAsking(
        context,
        { primitive: "namespace-rm", input: { namespace: name } },
        { input, question: `Remove the namespace ${name}?` },
      );
    },
  },
  { path: ["history"], ...history, examples: ["ployzctl history prod"] },
  {
    path: ["show"],
    summary: "One commit of a namespace; with --manifest as a manifest that deploys it again",
    details:
      "The values of environment variables are shown only in a manifest. There, images are named as they were deployed: a tag may mean\n" +
      "another image by now, unless the reference has a digest. Bundles are named by their digest.",
    args: [
      {
        name: "commit",
        summary: "NAMESPACE, or NAMESPACE@COMMIT: its revision, or its operation's id or the beginning of it",
        required: true,
      },
    ],
    options: { manifest: { type: "flag", summary: "As a manifest (TOML)" } },
    examples: ["ployzctl show prod@412", "ployzctl show prod@412 --manifest > ployz.toml"],
    run: async (context, input) => (await import("./show.ts")).show(context, input),
  },
];
