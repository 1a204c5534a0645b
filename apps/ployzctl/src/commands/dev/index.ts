import type { Command } from "../../command.ts";

export const devCommands: readonly Command[] = [
  {
    path: ["dev"],
    summary: "A cluster of this one machine, made from nothing",
    details:
      "Installs the daemon if it is not there, makes the cluster `dev` if the machine is in none, and deploys FILE if one is named.\n" +
      "Volumes are in storage.zfs_root, or else in a pool on a sparse file that it makes where there is ZFS or zfs-fuse.",
    options: {
      file: { type: "text", short: "f", value: "FILE", summary: "A manifest to deploy" },
      "gateway-listen": {
        type: "text",
        value: "ADDRESS:PORT",
        summary: "Where the gateway listens; default 127.0.0.1:8080",
      },
    },
    run: async (context, input) => (await import("./dev.ts")).dev(context, input),
  },
  {
    path: ["dev", "down"],
    summary: "Remove what dev made: the cluster, its volumes, the daemon, its data and configuration",
    run: async (context) => (await import("./down.ts")).down(context),
  },
];
