import { hostname } from "node:os";
import { PloyzError as WireError } from "@ployz/errors";
import type { JoiningMachine } from "@ployz/primitives";
import { localRoutes } from "@ployz/wireguard";
import { PloyzError } from "../error-codes.ts";
import { redeem, unfinished } from "../invites/redeem.ts";
import { decodeToken, type JoinToken } from "../invites/token.ts";
import { ensureIdentity, localEndpoints } from "../mesh/identity.ts";
import { checkedJoin } from "../mesh/input.ts";
import { readMembership } from "../mesh/membership.ts";
import { preconditions } from "../mesh/preconditions.ts";
import { detectRuntime } from "../mesh/runtime.ts";
import type { Daemon } from "./daemon.ts";

/**
 * Makes this machine a member with a token. If the inviter undoes the join, this machine does too; after a lost connection it keeps its
 * seat, since the cluster may have accepted it: repeating the command with the same token resolves that.
 */
export async function joinByToken(daemon: Daemon, text: string, signal: AbortSignal): Promise<void> {
  const token = decodeToken(text);
  const present = daemon.present()?.membership() ?? (await readMembership(daemon.paths.membership));
  if (present !== undefined && present.cluster.id !== token.cluster)
    throw new PloyzError({
      code: "invite_wrong_cluster",
      message: `this machine is ${present.machine.id} of ${present.cluster.name}, and the invite is for another cluster`,
      hint: "leave the present cluster first: ployzctl mesh leave",
    });
  if (present?.machine.state === "active") return;
  const { clusterCidr } = token;
  // No machine has the range's first address: a conflicting listener listens on all addresses.
  if (present === undefined)
    await preconditions(daemon, { clusterCidr, address: clusterCidr.split("/")[0] ?? "", store: false });

  let operation: string | undefined;
  let joined = false;
  for await (const line of redeem(token, await describe(daemon, token, present !== undefined), signal)) {
    if ("document" in line) {
      const document = checkedJoin(line.document);
      if (document.cluster.id !== token.cluster) throw new Error("the seat belongs to another cluster");
      operation = document.machine.operation;
      try {
        await daemon.join(document);
      } catch (error) {
        await daemon.leave(false, operation);
        throw error;
      }
    }
    if ("leave" in line) await daemon.leave(false, line.leave);
    if ("error" in line) {
      if (operation !== undefined) await daemon.leave(false, operation);
      throw new WireError(line.error);
    }
    joined ||= "joined" in line;
  }
  if (!joined) throw unfinished(token);
}

/** This machine's own description. */
async function describe(
  { config, paths, payload }: Daemon,
  { clusterCidr }: JoinToken,
  member: boolean,
): Promise<JoiningMachine> {
  const { publicKey, nkey } = await ensureIdentity(paths);
  const routes = member ? [] : await localRoutes(); // endpoints within the overlay belong to the cluster
  return {
    ...{ publicKey, nkey, hostname: hostname(), version: payload.version },
    endpoints: localEndpoints(config, { exclude: [clusterCidr] }),
    runtime: await detectRuntime(config, config.runtime),
    ...(config.region !== undefined && { region: config.region }),
    ...(config.az !== undefined && { az: config.az }),
    routes: routes
      .map(({ destination }) => destination)
      .filter((destination) => destination !== "default")
      .slice(0, 500),
  };
}
