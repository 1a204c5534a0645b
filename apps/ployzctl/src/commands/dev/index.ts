import type { Command } from "../../command.ts";

export const devCommands: readonly Command[] = [
  {
    path: ["dev"],
    summary: "Run a one-machine cluster on this machine",
    prints: ["dev"],
    details: [
      "Installs the daemon if needed, creates the cluster dev if this machine is in none, and deploys FILE if you name one. Volumes are in storage.zfs_root, or else in a file-backed pool that dev creates where ZFS or zfs-fuse is available.",
    ],
    options: {
      file: { type: "text", short: "f", value: "FILE", source: "file", summary: "A manifest to deploy" },
      "gateway-listen": {
        type: "list",
        value: "ADDRESS:PORT",
        summary: "Where the gateway listens, all with one port; default 127.0.0.1:8080",
      },
    },
    examples: ["ployzctl dev -f ployz.toml"],
    run: async (context, input) => (await import("./dev.ts")).dev(context, input),
  },
  {
    path: ["dev", "down"],
    summary: "Remove the dev cluster with its volumes, daemon and configuration",
    prints: ["dev-down"],
    examples: ["ployzctl dev down"],
    run: async (context) => (await import("./down.ts")).down(context),
  },
];
