import type { Command } from "../../command.ts";

export const daemonCommands: readonly Command[] = [
  {
    path: ["daemon", "install"],
    summary: "Install and start ployzd on this machine",
    prints: ["daemon-installed"],
    details: [
      "Installs a systemd unit where systemd is PID 1, else an s6 service with an init script; both start it at boot. Run it again after an update or a change of configuration: it changes only what differs and restarts only the daemon.",
      "Flags are written to the configuration file; fields without a flag keep their values.",
    ],
    options: {
      runtime: {
        type: "text",
        choices: ["docker", "host"],
        summary: "Run workloads in Docker or as host processes; default: Docker where it runs",
      },
      "service-mode": {
        type: "text",
        choices: ["system"],
        summary: "Which service manager to install under",
      },
      region: { type: "text", value: "R", summary: "Placement label (PLOYZ_REGION)" },
      az: { type: "text", value: "Z", summary: "Placement label: availability zone (PLOYZ_AZ)" },
      "gateway-listen": {
        type: "list",
        value: "ADDRESS:PORT",
        summary: "Where the gateway listens, all with one port; default 0.0.0.0:80",
      },
      "zfs-root": {
        type: "text",
        value: "DATASET",
        summary: "Dataset for volumes, such as tank/ployz; its pool must exist",
      },
    },
    examples: [
      "ployzctl daemon install",
      "ployzctl daemon install --gateway-listen 0.0.0.0:80 --gateway-listen '[::]:80'",
      "ployzctl daemon install --runtime host --region eu --zfs-root tank/ployz",
    ],
    run: async (context, input) => (await import("./install.ts")).install(context, input),
  },
  {
    path: ["daemon", "status"],
    summary: "Show this machine's daemon: version, services, adopted state",
    prints: ["daemon"],
    examples: ["ployzctl daemon status"],
    run: async (context) => (await context.client()).request("GET /v1/daemon", { signal: context.signal }),
  },
  {
    path: ["daemon", "start"],
    summary: "Start the installed daemon",
    prints: ["daemon-installed"],
    examples: ["ployzctl daemon start"],
    run: async (context) => (await import("./install.ts")).start(context),
  },
  {
    path: ["daemon", "stop"],
    summary: "Stop the daemon; workloads, tunnels, gateway and DNS keep running",
    prints: ["daemon-stopped"],
    examples: ["ployzctl daemon stop"],
    run: async (context) => (await import("./uninstall.ts")).stop(context),
  },
  {
    path: ["daemon", "uninstall"],
    summary: "Stop the daemon and remove its service from this machine",
    prints: ["daemon-uninstalled"],
    details: ["Refused while the machine is a member of a cluster."],
    options: {
      "if-installed": { type: "flag", summary: "Succeed if the daemon is not installed" },
      purge: { type: "flag", summary: "Remove the daemon's data and configuration too" },
    },
    examples: ["ployzctl daemon uninstall", "ployzctl daemon uninstall --purge"],
    run: async (context, input) =>
      (await import("./uninstall.ts")).uninstall(context, {
        ifInstalled: input.flag("if-installed"),
        purge: input.flag("purge"),
      }),
  },
];
