import { unknownName } from "@ployz/primitives/client";
import type { Command, Option } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { CHANGE, PREVIEW, YES } from "../../flags.ts";
import { needLabel } from "../../names.ts";
import { needLimit } from "../../values.ts";

const namespace = {
  name: "namespace",
  summary: "Name of the namespace",
  required: true,
  source: "namespace",
} as const;

const history: Pick<Command, "summary" | "prints" | "args" | "options" | "run"> = {
  summary: "List the commits of a namespace, newest first",
  prints: ["history"],
  args: [namespace],
  options: {
    limit: { type: "number", value: "N", summary: "Number of commits; default 20" } satisfies Option,
  },
  async run(context, input) {
    return (await context.client()).request("GET /v1/namespaces/:ns/history", {
      params: { ns: await needLabel("NAMESPACE", input.argument("namespace")) },
      query: { limit: String(needLimit("--limit", input.number("limit"), 20)) },
      signal: context.signal,
    });
  },
};

export const namespaceCommands: readonly Command[] = [
  {
    path: ["namespace", "ls"],
    summary: "List namespaces with their services and routes",
    prints: ["namespaces"],
    examples: ["ployzctl namespace ls"],
    async run(context) {
      const status = await (await context.client()).request("GET /v1/status", { signal: context.signal });
      return { kind: "namespaces", namespaces: status.namespaces };
    },
  },
  {
    path: ["namespace", "show"],
    summary: "Show a namespace: committed services and running instances",
    prints: ["namespace"],
    args: [namespace],
    examples: ["ployzctl namespace show prod"],
    async run(context, input) {
      const name = await needLabel("NAMESPACE", input.argument("namespace"));
      const { namespaces } = await (await context.client()).request("GET /v1/status", {
        signal: context.signal,
      });
      const row = namespaces.find((one) => one.namespace === name);
      if (row !== undefined) return { kind: "namespace", ...row };
      const names = namespaces.map(({ namespace }) => namespace);
      throw new PloyzError(unknownName("namespace", name, names));
    },
  },
  { path: ["namespace", "history"], ...history, examples: ["ployzctl namespace history prod"] },
  {
    path: ["namespace", "repair"],
    summary: "Repair a namespace whose last commit cannot be read",
    prints: CHANGE,
    details: [
      "Commits the last readable state again. Instances do not change: machines, gateways and DNS have kept that state. status names the commit that cannot be read.",
    ],
    args: [namespace],
    options: {
      "replace-newer": {
        type: "flag",
        summary: "Also replace a commit that a newer version of Ployz wrote",
      },
      ...PREVIEW,
    },
    examples: ["ployzctl namespace repair prod"],
    async run(context, input) {
      const name = await needLabel("NAMESPACE", input.argument("namespace"));
      const { change } = await import("../../operation/change.ts");
      const replaceNewer = input.flag("replace-newer");
      return change(
        context,
        { primitive: "namespace-repair", input: { namespace: name, ...(replaceNewer && { replaceNewer }) } },
        input.flag("preview"),
      );
    },
  },
  {
    path: ["namespace", "prune"],
    summary: "Remove instances and volumes that no commit of a namespace names",
    prints: CHANGE,
    details: [
      "Shows them and asks. Such strays remain, for example, after store restore, when the restored store does not know the operations that made them. Their volumes are retired: their data is kept for the retention time.",
    ],
    args: [namespace],
    options: { ...PREVIEW, ...YES },
    examples: ["ployzctl namespace prune prod -n"],
    async run(context, input) {
      const name = await needLabel("NAMESPACE", input.argument("namespace"));
      const { changeAfterAsking } = await import("../../operation/change.ts");
      return changeAfterAsking(
        context,
        { primitive: "namespace-prune", input: { namespace: name } },
        { input, question: `Remove these strays of ${name}?` },
      );
    },
  },
  {
    path: ["namespace", "rm"],
    summary: "Remove a namespace with its routes and services",
    prints: CHANGE,
    details: [
      "Shows the plan and asks. Routes and names go first, then instances. Its volumes are kept for the retention time, and its branches keep their data.",
    ],
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
    summary: "Show one commit of a namespace, or render it as a manifest",
    prints: ["commit", "manifest"],
    details: [
      "Only the manifest shows the values of environment variables. It names images as they were deployed, so a tag without a digest may have moved since; bundles are named by digest.",
    ],
    args: [
      {
        name: "commit",
        summary: "NAMESPACE, or NAMESPACE@COMMIT: a revision, or an operation id or its beginning",
        required: true,
        source: "namespace",
      },
    ],
    options: { manifest: { type: "flag", summary: "Render a manifest (TOML)" } },
    examples: ["ployzctl show prod@412", "ployzctl show prod@412 --manifest > ployz.toml"],
    run: async (context, input) => (await import("./show.ts")).show(context, input),
  },
];
