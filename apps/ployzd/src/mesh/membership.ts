import { rm } from "node:fs/promises";
import type { ClusterRecord, MachineRecord } from "@ployz/primitives/protocol";
import { readJson, writeJson } from "../state/files.ts";

/**
 * This machine's membership data on its own disk: enough to restore its tunnels, names and routes after a reboot without the store.
 */
export type Membership = {
  readonly v: 1;
  readonly cluster: ClusterRecord;
  readonly machine: MachineRecord;
  /** Every member, this one included, as last followed. */
  readonly machines: readonly MachineRecord[];
  /** `host:port` of every store server. */
  readonly storeServers: readonly string[];
  /** The release key that the join brought, where this machine had none: it goes when the machine leaves. */
  readonly releaseKey?: string;
};

export const readMembership = (path: string): Promise<Membership | undefined> => readJson<Membership>(path);
export const writeMembership = (path: string, membership: Membership): Promise<void> =>
  writeJson(path, membership);
export const forgetMembership = (path: string): Promise<void> => rm(path, { force: true });
