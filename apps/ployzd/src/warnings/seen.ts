import type { InstanceRow, MachineRow, NamespaceRow, VolumeRow } from "@ployz/primitives/client";
import type { Unreadable } from "@ployz/primitives/host";
import type { OperationSummary } from "@ployz/primitives/protocol";

/** A look at the cluster. */
export interface Seen {
  /** The observing machine. */
  readonly self: string;
  readonly machines: readonly MachineRow[];
  readonly instances: readonly InstanceRow[];
  readonly namespaces: readonly NamespaceRow[];
  readonly volumes: readonly VolumeRow[];
  /** Namespaces are apart, or the operator wants them not to be. */
  readonly isolated: boolean;
  /** Records of the store that were passed over. */
  readonly unreadable: readonly Unreadable[];
  /** Running, interrupted, or owing cleanup. */
  readonly open: readonly OperationSummary[];
  /** False: it did not answer, so other machines could not be asked either. */
  readonly storeAnswers: boolean;
  /** The cluster has removed this machine. */
  readonly removed: boolean;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** How to reach a machine that does not answer. */
export const lookAt = ({ record }: MachineRow): string =>
  `ssh ${record.endpoints[0]?.replace(/:\d+$/, "") ?? record.id}`;
