import Type, { type Static } from "typebox";
import { ClusterRecord } from "../model/machine.ts";
import { OperationSummary } from "../model/operation.ts";
import { count, list, object, text } from "../model/schema.ts";
import { MachineRow, NamespaceRow } from "./views.ts";
import { warnings } from "./warnings.ts";

/** A committed volume's other copies. Times are RFC 3339: the copy holds everything written before. */
export const VolumeCopies = object({
  namespace: text(),
  volume: text(),
  machine: text(),
  /** Of the newest standby. */
  standbyAt: Type.Optional(text()),
  /** Of the last backup. */
  backupAt: Type.Optional(text()),
  /** RFC 3339: of the data in the last backup that was restored and compared. */
  verifiedAt: Type.Optional(text()),
});
/** Static type of the schema of this name. */
export type VolumeCopies = Static<typeof VolumeCopies>;
/** The cluster as this machine sees it. */
export const ClusterStatus = object({
  kind: Type.Literal("status"),
  cluster: Type.Optional(ClusterRecord),
  self: Type.Optional(text()),
  machines: list(MachineRow),
  namespaces: list(NamespaceRow),
  operations: list(OperationSummary),
  /** Absent: a daemon from before 0.5, or the store does not answer. */
  volumes: Type.Optional(list(VolumeCopies)),
  store: object({
    state: Type.Enum(["connected", "unreachable", "none"]),
    machines: list(text()),
    generation: count(),
  }),
  warnings,
});
/** Static type of the schema of this name. */
export type ClusterStatus = Static<typeof ClusterStatus>;
