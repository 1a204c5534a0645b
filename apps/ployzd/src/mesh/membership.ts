import { rm } from "node:fs/promises";
import type { ClusterRecord, MachineRecord } from "@ployz/primitives";
import { readJson, writeJson } from "../state/files.ts";

/**
 * What this machine knows of its place in the cluster, on its own disk: enough to come back after a reboot with its tunnels, names and
 * routes when the store cannot be reached.
 */
export type Membership = {
  readonly v: 1;
  readonly cluster: ClusterRecord;
  readonly machine: MachineRecord;
  /** Every member, this one included, as last followed. */
  readonly machines: readonly MachineRecord[];
  /** `host:port` of every store server. */
  readonly storeServers: readonly string[];
};

export const readMembership = (path: string): Promise<Membership | undefined> => readJson<Membership>(path);
export const writeMembership = (path: string, membership: Membership): Promise<void> =>
  writeJson(path, membership);
export const forgetMembership = (path: string): Promise<void> => rm(path, { force: true });
