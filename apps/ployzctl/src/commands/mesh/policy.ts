import type { Command } from "../../command.ts";
import { YES } from "../../flags.ts";
import { needLabel } from "../../names.ts";
import { confirm } from "../../operation/confirm.ts";

/** `ployzctl network policy …` is the same: network is another word for mesh. */
export const policyCommands: readonly Command[] = [
  {
    path: ["mesh", "policy", "show"],
    summary: "Show which workloads may talk to which, and why",
    prints: ["network-policy"],
    details: [
      "For all namespaces, or for one. The last column of the second table says whether each machine's packet filter is exactly the one of the last commits.",
    ],
    args: [{ name: "namespace", summary: "Name of the namespace", source: "namespace" }],
    examples: ["ployzctl mesh policy show", "ployzctl mesh policy show prod"],
    async run(context, input) {
      const name = input.argument("namespace");
      const namespace = name === undefined ? undefined : await needLabel("NAMESPACE", name);
      return (await context.client()).request("GET /v1/network/policy", {
        query: namespace === undefined ? {} : { namespace },
        signal: context.signal,
      });
    },
  },
  {
    path: ["mesh", "policy", "enable"],
    summary: "Separate namespaces: a workload reaches its own only",
    prints: ["network-policy"],
    details: [
      "For a cluster from before 0.4, whose workloads all reach each other. Services that others use need allow_from in their manifests first; connections that are open stay open.",
    ],
    options: YES,
    examples: ["ployzctl mesh policy enable"],
    async run(context, input) {
      if (!input.flag("yes"))
        await confirm(
          context,
          "network policy enable",
          "Workloads will reach only their own namespace, the gateways, DNS, the outside, and services whose allow_from names them.\nSeparate the namespaces?",
        );
      return isolate(context, "on");
    },
  },
  {
    path: ["mesh", "policy", "disable"],
    summary: "Join namespaces: every workload reaches every other",
    prints: ["network-policy"],
    options: YES,
    examples: ["ployzctl mesh policy disable --yes"],
    async run(context, input) {
      if (!input.flag("yes"))
        await confirm(context, "network policy disable", "Let every workload reach every other?");
      return isolate(context, "off");
    },
  },
];

const isolate = async ({ client, signal }: Parameters<Command["run"]>[0], isolation: "on" | "off") =>
  (await client()).request("POST /v1/network/isolation", { body: { isolation }, signal });
