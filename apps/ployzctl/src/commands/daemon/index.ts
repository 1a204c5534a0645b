import type { Command } from "../../command.ts";

export const daemonCommands: readonly Command[] = [
  {
    path: ["daemon", "install"],
    summary: "Install and start the daemon on this machine; run again, it changes only what differs",
    details:
      "Under systemd where that is PID 1, else under s6 with an init script, so that it comes back after a reboot.\n" +
      "The flags are written to the configuration file; fields that are not named stay as they are.\n" +
      "A daemon that has read another configuration than the present one is started again; nothing that it manages is.",
    options: {
      runtime: {
        type: "text",
        choices: ["docker", "host"],
        summary: "What workloads run as; default: Docker where it runs",
      },
      "service-mode": { type: "text", choices: ["system"], summary: "Whose service it is" },
      region: { type: "text", value: "R", summary: "Placement label (PLOYZ_REGION)" },
      az: { type: "text", value: "Z", summary: "Placement label: availability zone (PLOYZ_AZ)" },
      "gateway-listen": {
        type: "text",
        value: "ADDRESS:PORT",
        summary: "Where the gateway listens; default 0.0.0.0:80",
      },
      "zfs-root": {
        type: "text",
        value: "DATASET",
        summary: "Where volumes live, such as tank/ployz; its pool is there already",
      },
    },
    run: async (context, input) => (await import("./install.ts")).install(context, input),
  },
  {
    path: ["daemon", "start"],
    summary: "Start the installed daemon, for example at boot",
    run: async (context) => (await import("./install.ts")).start(context),
  },
  {
    path: ["daemon", "stop"],
    summary: "Stop the daemon alone; workloads, tunnels, gateway and DNS go on",
    run: async (context) => (await import("./uninstall.ts")).stop(context),
  },
  {
    path: ["daemon", "status"],
    summary: "The daemon of this machine: version, services, what it found at its start",
    run: async (context) => (await context.client()).request("GET /v1/daemon", { signal: context.signal }),
  },
  {
    path: ["daemon", "uninstall"],
    summary: "Stop the daemon and remove its service; refused while the machine is in a mesh",
    options: {
      "if-installed": { type: "flag", summary: "Succeed where there is nothing to remove" },
      purge: { type: "flag", summary: "Remove its data and configuration too" },
    },
    run: async (context, input) =>
      (await import("./uninstall.ts")).uninstall(context, {
        ifInstalled: input.flag("if-installed"),
        purge: input.flag("purge"),
      }),
  },
];
