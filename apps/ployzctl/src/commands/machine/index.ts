import type { Command } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { PREVIEW } from "../../flags.ts";
import { needLabel } from "../../names.ts";
import { lifecycleCommands } from "./lifecycle.ts";

export const machineCommands: readonly Command[] = [
  {
    path: ["machine", "ls"],
    summary: "The machines of the cluster, live",
    run: async (context) => (await context.client()).request("GET /v1/machines", { signal: context.signal }),
  },
  {
    path: ["machine", "show"],
    summary: "One machine, live",
    args: [{ name: "machine", summary: "Its name", required: true }],
    async run(context, input) {
      const id = await needLabel("MACHINE", input.argument("machine"));
      const { machines } = await (await context.client()).request("GET /v1/machines", {
        signal: context.signal,
      });
      const machine = machines.find(({ record }) => record.id === id);
      if (machine !== undefined) return { kind: "machine", ...machine };
      throw new PloyzError({
        code: "no_such_machine",
        message: `there is no machine ${id}`,
        hint: `there are: ${machines.map(({ record }) => record.id).join(", ")}`,
      });
    },
  },
  {
    path: ["machine", "rtt"],
    summary: "Round trips between all machines, over the overlay",
    run: async (context) =>
      (await context.client()).request("GET /v1/machines/rtt", { signal: context.signal }),
  },
  {
    path: ["machine", "add"],
    summary: "Over SSH: install Ployz on machines and join them to the mesh, several at once",
    details:
      "The targets need sshd and nothing else; no internet. Run again on a half-added machine, it finishes the job.\n" +
      "The key is read here and used by the daemon for this one operation; it is neither stored nor logged.",
    args: [{ name: "target", summary: "user@host or user@host:port", required: true, many: true }],
    options: {
      identity: {
        type: "text",
        short: "i",
        value: "PATH",
        summary: "SSH private key; default: the agent, else ~/.ssh/id_*",
      },
      "accept-new-host-key": { type: "flag", summary: "Trust a machine whose host key is not known yet" },
      name: {
        type: "text",
        value: "NAME",
        summary: "The machine's name; default: its host name. One target only",
      },
      region: { type: "text", value: "R", summary: "Placement label" },
      az: { type: "text", value: "Z", summary: "Placement label: availability zone" },
      runtime: { type: "text", choices: ["docker", "host"], summary: "What workloads run as there" },
      "zfs-root": {
        type: "text",
        value: "DATASET",
        summary: "Where volumes live there, such as tank/ployz; its pool is there already",
      },
    },
    examples: ["ployzctl machine add root@203.0.113.7 root@203.0.113.8 --identity ~/.ssh/id_ed25519"],
    run: async (context, input) => (await import("./add.ts")).add(context, input),
  },
  ...lifecycleCommands,
  {
    path: ["machine", "update"],
    summary: "Give other machines the version of the machine that is asked, one after the other",
    details:
      "What runs goes on: only the daemon and the processes that follow commits are replaced. All machines are checked before the first\n" +
      "is touched. The first failure stops: that machine is put back on its old version, the rest is left alone, and the same command\n" +
      "goes on later. The machine that is asked is never changed; install the release there by hand first.",
    args: [{ name: "machine", summary: "Default: all that have another version", many: true }],
    options: PREVIEW,
    examples: ["ployzctl machine update", "ployzctl machine update m2 -n"],
    run: async (context, input) => (await import("./update.ts")).update(context, input),
  },
];
