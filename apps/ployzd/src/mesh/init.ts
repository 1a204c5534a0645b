import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { initStore, openStore } from "@ployz/nats-store";
import type { MeshInit } from "@ployz/primitives/client";
import { type ClusterRecord, isLabel, type Json, type MachineRecord } from "@ployz/primitives/protocol";
import { planSubnet } from "@ployz/wireguard";
import { PloyzError } from "../error-codes.ts";
import { ensureIdentity, localEndpoints } from "./identity.ts";
import { checkCidr } from "./input.ts";
import { forgetMembership, type Membership, readMembership, writeMembership } from "./membership.ts";
import { preconditions } from "./preconditions.ts";
import { detectRuntime } from "./runtime.ts";
import { openSubstrate, type Surroundings } from "./substrate.ts";

/**
 * Creates a cluster of one machine: identity, tunnel interface, bridge, store server, streams, and the first facts. Undoes everything after
 * a failure. Repeating it with the same name is a no-op.
 */
export async function initMesh(around: Surroundings, request: MeshInit): Promise<Membership> {
  const { paths, config } = around;
  const present = await readMembership(paths.membership);
  if (present !== undefined) {
    const same = request.id === undefined || request.id === present.cluster.id;
    if (present.cluster.name === request.name && same) return present;
    throw new PloyzError({
      code: "already_member",
      message: `this machine is a member of ${present.cluster.name}`,
      hint: "leave it first: ployzctl mesh destroy",
    });
  }
  const { cluster, machine } = await plan(around, request);
  const membership: Membership = {
    v: 1,
    cluster,
    machine,
    machines: [machine],
    storeServers: [`${machine.address}:${config.storePort}`],
  };
  const substrate = await openSubstrate(around, membership);
  try {
    await substrate.up(membership);
    await substrate.startStore(membership);
    await found(membership, around);
    await writeMembership(paths.membership, membership);
    return membership;
  } catch (error) {
    await substrate.down().catch(() => {}); // report the first error; a second init removes leftovers
    await forgetMembership(paths.membership);
    throw error;
  }
}

async function plan(
  around: Surroundings,
  request: MeshInit,
): Promise<{ cluster: ClusterRecord; machine: MachineRecord }> {
  const { config, payload, paths } = around;
  const fallback = (hostname().split(".")[0] ?? "").toLowerCase().replaceAll(/[^a-z0-9-]/g, "-");
  const id = request.machine ?? (isLabel(fallback) ? fallback : "m1");
  const clusterCidr = request.clusterCidr ?? config.clusterCidr;
  const subnetPrefixLength = request.subnetPrefixLength ?? config.subnetPrefixLength;
  checkCidr(clusterCidr);
  const { subnet, machineAddress } = planSubnet({ clusterCidr, prefixLength: subnetPrefixLength, index: 1 });

  await preconditions(around, { clusterCidr, address: machineAddress, store: true });
  const runtime = await detectRuntime(config, request.runtime ?? config.runtime);
  const identity = await ensureIdentity(paths);
  const cluster: ClusterRecord = {
    name: request.name,
    id: request.id ?? `${request.name}-${randomBytes(4).toString("hex")}`,
    clusterCidr,
    subnetPrefixLength,
    generation: 1,
    ...(config.isolation && { isolation: "on" as const }),
  };
  const machine: MachineRecord = {
    id,
    index: 1,
    state: "active",
    publicKey: identity.publicKey,
    endpoints: request.endpoints ?? localEndpoints(config),
    nkey: identity.nkey,
    address: machineAddress,
    subnet,
    store: true,
    runtime,
    ...(config.region !== undefined && { region: config.region }),
    ...(config.az !== undefined && { az: config.az }),
    version: payload.version,
    operation: "founding",
  };
  return { cluster, machine };
}

/** The streams and the first facts. */
async function found(membership: Membership, { paths }: Surroundings): Promise<void> {
  const { cluster, machine } = membership;
  const { nkeySeed } = await ensureIdentity(paths);
  const store = openStore({
    servers: membership.storeServers,
    nkeySeed,
    cluster: cluster.id,
    machine: machine.id,
  });
  try {
    await initStore(store.session, { replicas: 1, generation: cluster.generation });
    const facts: readonly (readonly [string, Json])[] = [
      ["cluster", cluster],
      ["subnet.1", { machine: machine.id, operation: machine.operation }],
      [`machine.${machine.id}`, machine],
    ];
    for (const [key, value] of facts) {
      const written = await store.facts.put(key, value, 0);
      if (!written.ok)
        throw new PloyzError({
          code: "store_not_empty",
          message: `the store already holds ${key}`,
          hint: "remove an earlier cluster's remains: ployzctl mesh destroy",
        });
    }
  } finally {
    await store.close();
  }
}
