import type { Command } from "../../command.ts";
import { needTarget } from "../../names.ts";

export const inspectCommands: readonly Command[] = [
  {
    path: ["status"],
    summary: "The whole cluster on one screen, with what to do about it",
    run: async (context) => (await context.client()).request("GET /v1/status", { signal: context.signal }),
  },
  {
    path: ["doctor"],
    summary: "Every precondition of this machine and the cluster, each with its fix",
    run: async (context) => (await import("./doctor.ts")).doctor(context),
  },
  {
    path: ["ps"],
    summary: "Instances, what was committed beside what runs",
    args: [{ name: "target", summary: "NAMESPACE or NAMESPACE/SERVICE; default: all" }],
    async run(context, input) {
      const target = input.argument("target");
      const [namespace, service] =
        target === undefined ? [] : (await needTarget("TARGET", target)).split("/");
      const found = await (await context.client()).request("GET /v1/ps", {
        query: namespace === undefined ? {} : { namespace },
        signal: context.signal,
      });
      if (service === undefined) return found;
      return { ...found, instances: found.instances.filter((row) => row.service === service) };
    },
  },
  {
    path: ["logs"],
    summary: "What instances say, merged",
    args: [{ name: "target", summary: "NAMESPACE or NAMESPACE/SERVICE", required: true }],
    options: {
      follow: { type: "flag", short: "f", summary: "Go on until Ctrl-C" },
      tail: { type: "number", value: "N", summary: "Lines of each instance to begin with; default 100" },
    },
    run: async (context, input) => (await import("./logs.ts")).logs(context, input),
  },
  {
    path: ["route", "ls"],
    summary: "What every machine's gateway serves",
    async run(context) {
      const { namespaces } = await (await context.client()).request("GET /v1/status", {
        signal: context.signal,
      });
      return {
        kind: "routes",
        routes: namespaces.flatMap(({ namespace, routes }) =>
          routes.map((route) => ({ ...route, namespace })),
        ),
      };
    },
  },
];
