import type { Command } from "../../command.ts";
import { needLabel } from "../../names.ts";

const name = { name: "token", summary: "Name of the token", required: true, source: "token" } as const;

export const tokenCommands: readonly Command[] = [
  {
    path: ["token", "create"],
    summary: "Create a token that lets a program use some namespaces",
    details: [
      "The token is printed once and stored nowhere. A program uses it by the variable PLOYZ_TOKEN, or by a context: ployzctl context add ci token://-. It reaches TCP join_port (51821) of the machines, which is open while a token is valid.",
      "The namespaces of --namespace are all that the token acts in, and all that it sees. --branch-from and --promote-to name others for that one purpose: a branch gets a copy of their data, and a promotion leaves their data alone.",
      "Permissions are named after commands: read (ps, status, history, ops, events and lists), logs, deploy, branch, promote, rollback, remove (namespace rm), restart, stop, start, scale, maintenance, migrate, schedule, volume, backup, secret, exec (with cp), run, port-forward. No token may use machines, the store, images, certificates, registries, alerts or other tokens.",
    ],
    options: {
      namespace: {
        type: "list",
        value: "NS",
        summary: "A namespace, or the beginning of some and *, such as 'pr-*'; repeatable",
      },
      allow: {
        type: "list",
        value: "PERMISSION",
        summary: "Its permissions, separated by commas; repeatable",
      },
      "branch-from": {
        type: "list",
        value: "NS",
        summary: "Another namespace that it may branch; repeatable",
      },
      "promote-to": {
        type: "list",
        value: "NS",
        summary: "Another namespace that it may promote to; repeatable",
      },
      ttl: { type: "text", value: "TIME", summary: "How long it is valid, at most 366d; default 30d" },
      name: { type: "text", value: "NAME", summary: "How records name it; default ci" },
    },
    prints: ["token-created"],
    examples: ["ployzctl token create --namespace 'pr-*' --allow deploy,branch --ttl 90d"],
    run: async (context, input) => (await import("./token.ts")).create(context, input),
  },
  {
    path: ["token", "ls"],
    summary: "List tokens: namespaces, permissions and expiry of each",
    prints: ["tokens"],
    examples: ["ployzctl token ls"],
    run: async (context) => (await context.client()).request("GET /v1/tokens", { signal: context.signal }),
  },
  {
    path: ["token", "show"],
    summary: "Show a token, without its secret",
    args: [name],
    prints: ["token"],
    examples: ["ployzctl token show ci"],
    run: async (context, input) =>
      (await context.client()).request("GET /v1/tokens/:name", {
        params: { name: await needLabel("TOKEN", input.argument("token")) },
        signal: context.signal,
      }),
  },
  {
    path: ["token", "rm"],
    aliases: [["token", "revoke"]],
    summary: "Revoke a token on every machine, and end its connections",
    details: [
      "Operations that it has started continue: ployzctl ops ls shows them, and ployzctl ops abort undoes one. A machine that is cut off from the store learns of it when it is back; until then it can change nothing.",
    ],
    args: [name],
    prints: ["token-revoked"],
    examples: ["ployzctl token rm ci"],
    run: async (context, input) =>
      (await context.client()).request("DELETE /v1/tokens/:name", {
        params: { name: await needLabel("TOKEN", input.argument("token")) },
        signal: context.signal,
      }),
  },
];
