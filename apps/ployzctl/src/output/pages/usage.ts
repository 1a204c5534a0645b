import type { Usage } from "../../documents.ts";
import { bytes, duration, type Page, remark, table } from "../page.ts";

export const usagePage = ({ seconds, machines, instances }: Usage): Page => [
  table(
    "machine",
    ["MACHINE", "LOAD", "MEMORY FREE", "DISK FREE", "HANDSHAKE"],
    machines.map(({ machine, load1, memoryFreeBytes, diskFreeBytes, handshakeAgeMs }) => [
      machine,
      load1.toFixed(2),
      bytes(memoryFreeBytes),
      bytes(diskFreeBytes),
      handshakeAgeMs === undefined ? "-" : `${duration(handshakeAgeMs)} ago`,
    ]),
    { empty: "no machines", drop: ["HANDSHAKE", "DISK FREE"] },
  ),
  remark(""),
  table(
    "instance",
    ["INSTANCE", "MACHINE", "CPU", "MEMORY"],
    instances.map(({ namespace, service, slot, id, machine, cores, memoryBytes }) => [
      slot === 0 ? id : `${namespace}/${service}.${slot}`,
      machine,
      cores === undefined ? "-" : `${(100 * cores).toFixed(1)}%`,
      memoryBytes === undefined ? "-" : bytes(memoryBytes),
    ]),
    { empty: "no instances" },
  ),
  remark({ text: `CPU: of one, over ${duration(seconds * 1000)}`, tone: "dim" }),
];
