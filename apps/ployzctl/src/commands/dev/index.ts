import type { Command } from "../../command.ts";
import { usage } from "../../errors.ts";
import { needLinux } from "../../settings.ts";

export const devCommands: readonly Command[] = [
  {
    path: ["dev"],
    summary: "Run a cluster on this computer: one machine, or several in containers",
    prints: ["dev", "dev-machines"],
    details: [
      "Installs the daemon if needed, creates the cluster dev if this machine is in none, and deploys FILE if you name one. Volumes are in storage.zfs_root, or else in a file-backed pool that dev creates where ZFS or zfs-fuse is available.",
      "With --machines, on Linux and macOS: N containers, each a machine with its own disk, in a cluster of that size. The first one's gateway is at --gateway-listen. The context dev reaches them, and is in use unless another one is. Run again with a larger N, it adds machines.",
    ],
    options: {
      file: { type: "text", short: "f", value: "FILE", source: "file", summary: "A manifest to deploy" },
      "gateway-listen": {
        type: "list",
        value: "ADDRESS:PORT",
        summary: "Where the gateway listens, all with one port; default 127.0.0.1:8080",
      },
      machines: { type: "number", value: "N", summary: "N machines in containers of this computer's Docker" },
      image: {
        type: "text",
        value: "FILE|IMAGE",
        source: "file",
        summary: "With --machines: the image of a machine; default: ployz-machine of this release",
      },
    },
    examples: ["ployzctl dev -f ployz.toml", "ployzctl dev --machines 3 --image ployz-machine.tar.gz"],
    run: async (context, input) => {
      const machines = input.number("machines");
      if (machines !== undefined)
        return (await import("./machines.ts")).devMachines(context, input, machines);
      if (input.text("image") !== undefined)
        throw usage("--image: only with --machines", "ployzctl dev --machines 3");
      needLinux(context.terminal, "dev");
      return (await import("./dev.ts")).dev(context, input);
    },
  },
  {
    path: ["dev", "stop"],
    summary: "Stop the machines of dev --machines; their disks are kept",
    prints: ["dev-power"],
    examples: ["ployzctl dev stop"],
    run: async (context) => (await import("./machines-power.ts")).stopMachines(context),
  },
  {
    path: ["dev", "start"],
    summary: "Start the machines of dev --machines again",
    prints: ["dev-power"],
    examples: ["ployzctl dev start"],
    run: async (context) => (await import("./machines-power.ts")).startMachines(context),
  },
  {
    path: ["dev", "down"],
    summary: "Remove the dev cluster with its volumes, daemon and configuration",
    prints: ["dev-down"],
    examples: ["ployzctl dev down"],
    run: async (context) => (await import("./down.ts")).down(context),
  },
];
