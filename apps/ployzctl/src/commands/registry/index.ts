import type { Command } from "../../command.ts";

const host = {
  name: "host",
  summary: "The registry's host, such as ghcr.io; Docker Hub is docker.io",
  required: true,
} as const;

export const registryCommands: readonly Command[] = [
  {
    path: ["registry", "login"],
    summary: "Set the cluster's credentials for a registry, from stdin",
    details: [
      "Every machine uses them when it pulls from that registry. They are sealed in the store like secrets; no command prints the password again, and no workload gets it.",
      "The password is read from stdin; at a terminal, a prompt reads it without showing it. Registries on other addresses than loopback need TLS; a private certificate authority belongs in /etc/docker/certs.d/HOST/ca.crt or in the machine's certificates.",
    ],
    args: [host],
    options: {
      username: { type: "text", short: "u", value: "USER", summary: "The user's name at the registry" },
      "password-stdin": { type: "flag", summary: "Read the password from stdin (the default)" },
    },
    prints: ["registry-set"],
    examples: ["ployzctl registry login ghcr.io -u bot --password-stdin < token.txt"],
    run: async (context, input) => (await import("./registry.ts")).login(context, input),
  },
  {
    path: ["registry", "logout"],
    summary: "Remove the cluster's credentials for a registry",
    args: [host],
    prints: ["registry-removed"],
    examples: ["ployzctl registry logout ghcr.io"],
    async run(context, input) {
      return (await context.client()).request("DELETE /v1/registries/:host", {
        params: { host: input.argument("host") ?? "" },
        signal: context.signal,
      });
    },
  },
  {
    path: ["registry", "ls"],
    summary: "List the registries that the cluster has credentials for",
    prints: ["registries"],
    examples: ["ployzctl registry ls"],
    async run(context) {
      return (await context.client()).request("GET /v1/registries", { signal: context.signal });
    },
  },
];
