import { unknownName } from "@ployz/primitives/client";
import type { Command } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { PREVIEW } from "../../flags.ts";
import { needLabel } from "../../names.ts";
import { labelCommand } from "./label.ts";
import { lifecycleCommands } from "./lifecycle.ts";

export const machineCommands: readonly Command[] = [
  {
    path: ["machine", "ls"],
    summary: "List the machines of the cluster with their live state",
    prints: ["machines"],
    examples: ["ployzctl machine ls"],
    run: async (context) => (await context.client()).request("GET /v1/machines", { signal: context.signal }),
  },
  {
    path: ["machine", "show"],
    summary: "Show one machine with its live state",
    prints: ["machine"],
    args: [{ name: "machine", summary: "Name of the machine", required: true, source: "machine" }],
    examples: ["ployzctl machine show m2"],
    async run(context, input) {
      const id = await needLabel("MACHINE", input.argument("machine"));
      const { machines } = await (await context.client()).request("GET /v1/machines", {
        signal: context.signal,
      });
      const machine = machines.find(({ record }) => record.id === id);
      if (machine !== undefined) return { kind: "machine", ...machine };
      const names = machines.map(({ record }) => record.id);
      throw new PloyzError(unknownName("machine", id, names));
    },
  },
  {
    path: ["machine", "rtt"],
    summary: "Measure round trips between all machines over the overlay",
    prints: ["rtt"],
    examples: ["ployzctl machine rtt"],
    run: async (context) =>
      (await context.client()).request("GET /v1/machines/rtt", { signal: context.signal }),
  },
  {
    path: ["machine", "add"],
    summary: "Install Ployz on machines over SSH and join them to the cluster",
    prints: ["machine-add"],
    details: [
      "Several targets are added in parallel. A target needs sshd and access to its distribution's packages. Run it again on a half-added machine to finish it.",
      "The daemon uses the SSH key for this operation only; it is neither stored nor logged.",
    ],
    args: [{ name: "target", summary: "user@host or user@host:port", required: true, many: true }],
    options: {
      identity: {
        type: "text",
        short: "i",
        value: "PATH",
        source: "file",
        summary: "SSH private key; default: the agent, else ~/.ssh/id_*",
      },
      "accept-new-host-key": {
        type: "flag",
        short: "y",
        aliases: ["yes"],
        summary: "Accept unknown host keys without asking",
      },
      name: {
        type: "text",
        value: "NAME",
        summary: "Name of the machine; default: its host name. One target only",
      },
      region: { type: "text", value: "R", summary: "Placement label" },
      az: { type: "text", value: "Z", summary: "Placement label: availability zone" },
      runtime: {
        type: "text",
        choices: ["docker", "host"],
        summary: "Run workloads in Docker or as host processes",
      },
      "zfs-root": {
        type: "text",
        value: "DATASET",
        summary: "Dataset for volumes, such as tank/ployz; its pool must exist",
      },
    },
    examples: [
      "ployzctl machine add root@203.0.113.7 --name m2",
      "ployzctl machine add root@203.0.113.7 root@203.0.113.8 -i ~/.ssh/id_ed25519",
    ],
    run: async (context, input) => (await import("./add.ts")).add(context, input),
  },
  labelCommand,
  ...lifecycleCommands,
  {
    path: ["machine", "update"],
    summary: "Update other machines to this machine's version, one by one",
    prints: ["machine-update"],
    details: [
      "Workloads keep running: only the daemon, the gateway's follower and DNS restart. All machines are checked before the first is updated. If one fails, it returns to its old version and the rest is skipped; run the command again to continue.",
      "Install the new release on this machine first: its daemon is never updated by this command.",
    ],
    args: [
      {
        name: "machine",
        summary: "Machines to update; default: all with another version",
        many: true,
        source: "machine",
      },
    ],
    options: PREVIEW,
    examples: ["ployzctl machine update", "ployzctl machine update m2 -n"],
    run: async (context, input) => (await import("./update.ts")).update(context, input),
  },
];
