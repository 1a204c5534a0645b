import type { Command } from "../../command.ts";
import { YES } from "../../flags.ts";

export const meshCommands: readonly Command[] = [
  {
    path: ["mesh", "init"],
    summary: "Make a cluster of this machine",
    args: [{ name: "name", summary: "Name of the cluster", required: true }],
    options: {
      machine: { type: "text", value: "NAME", summary: "Name of this machine; default: its host name" },
      cidr: { type: "text", value: "CIDR", summary: "The overlay's addresses; default 10.101.0.0/16" },
      "subnet-prefix": { type: "number", value: "BITS", summary: "Each machine's part of them; default 24" },
      runtime: { type: "text", choices: ["docker", "host"], summary: "What workloads run as" },
      endpoint: {
        type: "list",
        value: "ADDRESS:PORT",
        summary: "Where other machines reach this one's WireGuard",
      },
    },
    run: async (context, input) => (await import("./mesh.ts")).init(context, input),
  },
  {
    path: ["mesh", "join"],
    summary: "Make this machine a member with a token",
    details:
      "A member made the token: ployzctl machine invite create. It is read from stdin, since arguments are seen by every process. The\n" +
      "daemon has to run here: ployzctl daemon install. Cut short, the same command with the same token finishes the job.",
    options: {
      "token-stdin": { type: "flag", summary: "Read the token from stdin" },
      "document-stdin": { type: "flag", summary: "Read the join document from stdin; for machine add" },
    },
    examples: ["ployzctl mesh join --token-stdin < token"],
    run: async (context, input) => (await import("./mesh.ts")).join(context, input),
  },
  {
    path: ["mesh", "leave"],
    summary: "Take this machine out of its mesh: workloads, tunnel and identity go",
    options: {
      operation: {
        type: "text",
        value: "ID",
        summary: "Only if this operation made it a member; for machine add",
      },
    },
    run: async (context, input) => {
      const operation = input.text("operation");
      return (await import("./mesh.ts")).leave(context, operation === undefined ? {} : { operation });
    },
  },
  {
    path: ["mesh", "destroy"],
    summary: "Leave as the last store machine: the cluster and its records are gone",
    options: YES,
    run: async (context, input) => (await import("./mesh.ts")).destroy(context, input.flag("yes")),
  },
  {
    path: ["mesh", "status"],
    summary: "This machine's place in the mesh, and its peers",
    run: async (context) => (await context.client()).request("GET /v1/mesh", { signal: context.signal }),
  },
  {
    path: ["mesh", "endpoints"],
    summary: "Tell the cluster where others reach this machine's WireGuard, after its addresses changed",
    options: {
      endpoint: {
        type: "list",
        value: "ADDRESS:PORT",
        summary: "Best first; default: what its interfaces have",
      },
    },
    async run(context, input) {
      const endpoints = input.list("endpoint");
      return (await context.client()).request("POST /v1/mesh/endpoints", {
        body: endpoints.length > 0 ? { endpoints } : {},
        signal: context.signal,
      });
    },
  },
  {
    path: ["mesh", "ready"],
    summary:
      "Whether this machine is in a mesh with its store connected and every peer heard from; exit code 0 or 1",
    run: async (context) => (await import("./mesh.ts")).ready(context),
  },
  {
    path: ["mesh", "self-record"],
    summary: "This machine's public keys and endpoints; called by machine add",
    options: {
      address: { type: "text", value: "HOST", summary: "The address that others reach this machine at" },
    },
    run: async (context, input) => {
      const address = input.text("address");
      return (await context.client()).request("GET /v1/mesh/self", {
        query: address === undefined ? {} : { address },
        signal: context.signal,
      });
    },
  },
];
