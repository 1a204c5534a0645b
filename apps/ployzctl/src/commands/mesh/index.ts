import type { Command } from "../../command.ts";
import { YES } from "../../flags.ts";

export const meshCommands: readonly Command[] = [
  {
    path: ["mesh", "init"],
    summary: "Create a cluster with this machine as its first member",
    prints: ["mesh"],
    args: [{ name: "name", summary: "Name of the cluster", required: true }],
    options: {
      machine: { type: "text", value: "NAME", summary: "Name of this machine; default: its host name" },
      id: {
        type: "text",
        value: "ID",
        summary: "To found a lost cluster again and restore its store: the id that it had",
      },
      cidr: { type: "text", value: "CIDR", summary: "Address range of the overlay; default 10.101.0.0/16" },
      "subnet-prefix": {
        type: "number",
        value: "BITS",
        summary: "Size of each machine's subnet; default 24",
      },
      runtime: {
        type: "text",
        choices: ["docker", "host"],
        summary: "Run workloads in Docker or as host processes",
      },
      endpoint: {
        type: "list",
        value: "ADDRESS:PORT",
        summary: "Where other machines reach this one's WireGuard",
      },
    },
    examples: ["ployzctl mesh init acme", "ployzctl mesh init acme --endpoint 203.0.113.7:51820"],
    run: async (context, input) => (await import("./mesh.ts")).init(context, input),
  },
  {
    path: ["mesh", "join"],
    summary: "Join this machine to a cluster with an invite token",
    prints: ["mesh"],
    details: [
      "A member creates the token: ployzctl machine invite create. The token is read from stdin, because every process can see arguments. The daemon must run here: ployzctl daemon install. If interrupted, run the same command with the same token to finish.",
    ],
    options: {
      "token-stdin": { type: "flag", summary: "Read the token from stdin" },
      "document-stdin": { type: "flag", summary: "Read the join document from stdin (used by machine add)" },
    },
    examples: ["ployzctl mesh join --token-stdin < token"],
    run: async (context, input) => (await import("./mesh.ts")).join(context, input),
  },
  {
    path: ["mesh", "leave"],
    summary: "Take this machine out of its cluster",
    prints: ["left"],
    details: ["Removes its workloads, its tunnel and its identity."],
    options: {
      operation: {
        type: "text",
        value: "ID",
        summary: "Only if this operation added the machine (used by machine add)",
      },
    },
    examples: ["ployzctl mesh leave"],
    run: async (context, input) => {
      const operation = input.text("operation");
      return (await import("./mesh.ts")).leave(context, operation === undefined ? {} : { operation });
    },
  },
  {
    path: ["mesh", "destroy"],
    summary: "Destroy the cluster and its records from its last store machine",
    prints: ["left"],
    options: YES,
    examples: ["ployzctl mesh destroy"],
    run: async (context, input) => (await import("./mesh.ts")).destroy(context, input.flag("yes")),
  },
  {
    path: ["mesh", "status"],
    summary: "Show this machine's cluster, store connection and peers",
    prints: ["mesh"],
    examples: ["ployzctl mesh status"],
    run: async (context) => (await context.client()).request("GET /v1/mesh", { signal: context.signal }),
  },
  {
    path: ["mesh", "endpoints"],
    summary: "Publish this machine's WireGuard endpoints after they changed",
    prints: ["mesh"],
    options: {
      endpoint: {
        type: "list",
        value: "ADDRESS:PORT",
        summary: "Endpoints, best first; default: the addresses of its interfaces",
      },
    },
    examples: ["ployzctl mesh endpoints --endpoint 203.0.113.7:51820"],
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
    summary: "Check that this machine is joined and its store and peers answer",
    prints: ["ready"],
    details: ["Exit code 0 if so, else 1."],
    examples: ["ployzctl mesh ready"],
    run: async (context) => (await import("./mesh.ts")).ready(context),
  },
  {
    path: ["mesh", "self-record"],
    summary: "Print this machine's public keys and endpoints, for machine add",
    prints: ["self-record"],
    options: {
      address: { type: "text", value: "HOST", summary: "Address at which other machines reach this one" },
    },
    examples: ["ployzctl mesh self-record"],
    run: async (context, input) => {
      const address = input.text("address");
      return (await context.client()).request("GET /v1/mesh/self", {
        query: address === undefined ? {} : { address },
        signal: context.signal,
      });
    },
  },
];
