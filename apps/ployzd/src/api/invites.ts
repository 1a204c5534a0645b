import type { InviteCreate, InviteCreated } from "@ployz/primitives/client";
import type { Daemon } from "../daemon/daemon.ts";
import { joinEndpoints } from "../invites/endpoints.ts";
import { listInvites, newInvite, putInvite, revokeInvite, rowOf } from "../invites/invites.ts";
import { ensureJoinKey } from "../invites/join-key.ts";
import { encodeToken } from "../invites/token.ts";
import { printable } from "../operations/request.ts";
import type { ApiRoutes } from "./router.ts";

export function inviteRoutes(
  daemon: Daemon,
): Pick<ApiRoutes["json"], "POST /v1/invites" | "GET /v1/invites" | "POST /v1/invites/:id/revoke"> {
  return {
    "POST /v1/invites": async ({ body }) => create(daemon, await body()),
    "GET /v1/invites": async () => ({
      kind: "invites",
      invites: await listInvites(daemon.member().store, Date.now()),
    }),
    "POST /v1/invites/:id/revoke": async ({ params }) => ({
      kind: "invite",
      ...(await revokeInvite(daemon.member().store, params.id, Date.now())),
    }),
  };
}

async function create({ config, paths, ...daemon }: Daemon, wanted: InviteCreate): Promise<InviteCreated> {
  const member = daemon.member();
  const { cluster, machine } = member.membership();
  const now = Date.now();
  const { invite, secret } = newInvite({ ...wanted, by: printable(wanted.by) }, { inviter: machine.id, now });
  const { pin } = await ensureJoinKey(paths.joinKey);
  // Open the port before handing out the token: an operator here can fix a port in use.
  await member.inviter.expect([invite]);
  await putInvite(member.store, invite);
  const token = encodeToken({
    ...{ cluster: cluster.id, clusterCidr: cluster.clusterCidr, inviter: machine.id, pin, secret },
    endpoints: joinEndpoints(config, { announced: machine.endpoints, clusterCidr: cluster.clusterCidr }),
    ...{ invite: invite.id, expiresAt: invite.expiresAt },
  });
  return { kind: "invite-created", token, invite: rowOf(invite, [], now) };
}
