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
 * Makes this machine a member by a token. What the inviter takes back is taken back here; when the connection breaks, what is here stays,
 * since the cluster may have taken it: the same token again finds out.
 */
export async function joinByToken(daemon: Daemon, text: string, signal: AbortSignal): Promise<void> {
  const token = decodeToken(text);
  const present = daemon.present()?.membership() ?? (await readMembership(daemon.paths.membership));
  if (present !== undefined && present.cluster.id !== token.cluster)
    throw new PloyzError({
      code: "invite_wrong_cluster",
      message: `this machine is ${present.machine.id} of ${present.cluster.name}, and the invite is for another cluster`,
      hint: "ployzctl mesh leave takes it out of this one first",
    });
  if (present?.machine.state === "active") return;
  const { clusterCidr } = token;
  // Nobody has the range's first address: what listens there listens everywhere.
  if (present === undefined)
    await preconditions(daemon, { clusterCidr, address: clusterCidr.split("/")[0] ?? "", store: false });

  let operation: string | undefined;
  let joined = false;
  for await (const line of redeem(token, await describe(daemon, token, present !== undefined), signal)) {
    if ("document" in line) {
      const document = checkedJoin(line.document);
      if (document.cluster.id !== token.cluster) throw new Error("the seat is in another cluster");
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

/** What this machine says of itself. */
async function describe(
  { config, paths, payload }: Daemon,
  { clusterCidr }: JoinToken,
  member: boolean,
): Promise<JoiningMachine> {
  const { publicKey, nkey } = await ensureIdentity(paths);
  const routes = member ? [] : await localRoutes(); // those of a membership are the cluster's own
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
