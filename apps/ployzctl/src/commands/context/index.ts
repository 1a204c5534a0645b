import type { Command } from "../../command.ts";

const name = (required: boolean) =>
  ({ name: "name", summary: "Name of the context", required, source: "context" }) as const;

export const contextCommands: readonly Command[] = [
  {
    path: ["context", "add"],
    summary: "Add a context: a cluster's name, and machines that reach it",
    details: [
      "A host is anything that ssh can reach: user@machine, ssh://user@machine:port, or a Host of ~/.ssh/config with its jump hosts, keys and agents. Of several machines of one cluster, the next is tried when one is down.",
      "docker://CONTAINER is a container of this computer's Docker, such as a machine of dev --machines.",
      "token:///PATH is the file of a token (ployzctl token create); token://- reads one from stdin and keeps it beside the contexts, readable by you alone. A token is its context's only host.",
      "Nothing is connected yet. The contexts are in $XDG_CONFIG_HOME/ployz/contexts.toml.",
    ],
    args: [
      { name: "name", summary: "Name of the context", required: true },
      {
        name: "host",
        summary: "Machines of the cluster, in the order to try them",
        required: true,
        many: true,
      },
    ],
    prints: ["context"],
    examples: [
      "ployzctl context add prod ssh://deploy@203.0.113.7",
      "ployzctl context add staging staging-m1 staging-m2",
      "ployzctl context add ci token://- < token",
    ],
    run: async (context, input) => (await import("./context.ts")).add(context, input),
  },
  {
    path: ["context", "use"],
    summary: "Choose the context in use, or local for this machine's daemon",
    details: [
      "--context, --host and --socket, and the variables PLOYZ_CONTEXT, PLOYZ_HOST, PLOYZ_SOCKET and PLOYZ_TOKEN, win over it. The commands daemon and dev always work on this machine.",
    ],
    args: [name(true)],
    prints: ["context"],
    examples: ["ployzctl context use prod", "ployzctl context use local"],
    run: async (context, input) => (await import("./context.ts")).use(context, input),
  },
  {
    path: ["context", "ls"],
    summary: "List contexts",
    prints: ["contexts"],
    examples: ["ployzctl context ls"],
    run: async (context) => (await import("./context.ts")).list(context),
  },
  {
    path: ["context", "show"],
    summary: "Show a context, by default the one in use",
    args: [name(false)],
    prints: ["context"],
    examples: ["ployzctl context show prod"],
    run: async (context, input) => (await import("./context.ts")).show(context, input),
  },
  {
    path: ["context", "rm"],
    summary: "Remove a context; its cluster is not touched",
    args: [name(true)],
    prints: ["context-removed"],
    examples: ["ployzctl context rm staging"],
    run: async (context, input) => (await import("./context.ts")).remove(context, input),
  },
];
