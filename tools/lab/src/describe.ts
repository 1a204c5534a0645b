import { join } from "node:path";
import { liveInit, sshOptions } from "./machine.ts";
import {
  clientAddress,
  labNetns,
  launcher,
  machineAddress,
  machineDir,
  machineMac,
  machineName,
  machineNetns,
  sshKey,
} from "./names.ts";
import { indexes, type LabKind, type LabSpec } from "./spec.ts";

export interface MachineInfo {
  readonly name: string;
  readonly index: number;
  readonly address: string;
  readonly mac: string;
  readonly netns: string;
  readonly sshPort: number;
  /** Host pid of the machine's init; null while it is off. */
  readonly init: number | null;
  /** Argument vectors to append a command to; both run on the host. */
  readonly enter: readonly string[];
  readonly ssh: readonly string[];
  /** The machine's disk and console log, on the host. */
  readonly disk: string;
  readonly console: string;
}

export interface LabInfo {
  readonly kind: "lab";
  readonly name: string;
  readonly machineKind: LabKind;
  readonly docker: boolean;
  readonly bare: boolean;
  /** Network namespace of the lab itself: the bridge, and the client that `load` uses. */
  readonly netns: string;
  readonly clientAddress: string;
  readonly sshKey: string;
  readonly machines: readonly MachineInfo[];
}

export async function describe(spec: LabSpec): Promise<LabInfo> {
  const { name } = spec;
  return {
    kind: "lab",
    name,
    machineKind: spec.kind,
    docker: spec.docker,
    bare: spec.bare,
    netns: labNetns(name),
    clientAddress: clientAddress(name),
    sshKey: sshKey(name),
    machines: await Promise.all(
      indexes(spec).map(async (index) => ({
        name: machineName(index),
        index,
        address: machineAddress(name, index),
        mac: machineMac(name, index),
        netns: machineNetns(name, index),
        sshPort: 22,
        init: (await liveInit(spec, index))?.pid ?? null,
        enter: [launcher, "sh", String(index), "--name", name, "--"],
        ssh: [
          "nsenter",
          `--net=/run/netns/${labNetns(name)}`,
          "ssh",
          ...sshOptions(name),
          `root@${machineAddress(name, index)}`,
        ],
        disk: join(machineDir(name, index), "upper"),
        console: join(machineDir(name, index), "console.log"),
      })),
    ),
  };
}
