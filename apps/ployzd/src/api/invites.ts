import { type InviteCreate, type InviteCreated, isLabel, shown } from "@ployz/primitives";
import { formatEndpoint } from "@ployz/wireguard";
import type { Daemon } from "../daemon/daemon.ts";
import { PloyzError } from "../error-codes.ts";
import { listInvites, newInvite, putInvite, revokeInvite, rowOf } from "../invites/invites.ts";
import { ensureJoinKey } from "../invites/join-key.ts";
import { encodeToken } from "../invites/token.ts";
import { localEndpoints } from "../mesh/identity.ts";
import type { Routes } from "./router.ts";

const DAY_MS = 86_400_000;
/** In a token: it is carried by hand. */
const MOST_ENDPOINTS = 8;
const PLACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const FIELDS = ["ttlMs", "by", "name", "region", "az"];

export function inviteRoutes(daemon: Daemon): Routes["json"] {
  return {
    "POST /v1/invites": async ({ body }) => create(daemon, checked(await body())),
    "GET /v1/invites": async () => ({
      kind: "invites",
      invites: await listInvites(daemon.member().store, Date.now()),
    }),
    "POST /v1/invites/:id/revoke": async ({ params }) => ({
      kind: "invite",
      ...(await revokeInvite(daemon.member().store, params.id ?? "", Date.now())),
    }),
  };
}

async function create({ config, paths, ...daemon }: Daemon, wanted: InviteCreate): Promise<InviteCreated> {
  const member = daemon.member();
  const { cluster, machine } = member.membership();
  const now = Date.now();
  const { invite, secret } = newInvite(wanted, { inviter: machine.id, now });
  const { pin } = await ensureJoinKey(paths.joinKey);
  // Open before the token is anybody's: a port that is taken is told to who can do something about it.
  await member.inviter.expect([invite]);
  await putInvite(member.store, invite);
  const hosts = [...machine.endpoints, ...localEndpoints(config, { exclude: [cluster.clusterCidr] })].map(
    (endpoint) => endpoint.slice(0, endpoint.lastIndexOf(":")).replaceAll(/[[\]]/g, ""),
  );
  const token = encodeToken({
    ...{ cluster: cluster.id, clusterCidr: cluster.clusterCidr, inviter: machine.id, pin, secret },
    endpoints: [...new Set(hosts)]
      .slice(0, MOST_ENDPOINTS)
      .map((host) => formatEndpoint(host, config.joinPort)),
    ...{ invite: invite.id, expiresAt: invite.expiresAt },
  });
  return { kind: "invite-created", token, invite: rowOf(invite, [], now) };
}

function checked(raw: unknown): InviteCreate {
  const invalid = (field: string, message: string, hint: string) =>
    new PloyzError({ code: "invalid_input", message: `${field}: ${message}`, hint });
  const body = (typeof raw === "object" && raw !== null ? raw : {}) as Readonly<Record<string, unknown>>;
  const { ttlMs, by, name } = body;
  const unknown = Object.keys(body).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined)
    throw invalid(shown(unknown), "is not known here", `known are ${FIELDS.join(", ")}`);
  if (typeof ttlMs !== "number" || !Number.isInteger(ttlMs) || ttlMs < 1_000 || ttlMs > DAY_MS)
    throw invalid("ttl", "is not a time from 1s to 24h", "for example 10m");
  if (typeof by !== "string") throw invalid("by", "is missing", "user@machine");
  if (name !== undefined && !isLabel(name))
    throw invalid(
      "name",
      `${shown(name)} is not a valid name`,
      "use 1 to 63 lower-case letters, digits and dashes, starting with a letter",
    );
  const place = (field: "region" | "az") => {
    const value = body[field];
    if (value === undefined) return {};
    if (typeof value === "string" && PLACE.test(value)) return { [field]: value };
    throw invalid(field, `${shown(value)} is not a label`, "lower-case letters, digits and dashes");
  };
  return {
    ttlMs,
    by: by.slice(0, 200).replaceAll(/\p{Cc}/gu, "?"), // it is stored and printed
    ...(name !== undefined && { name }),
    ...place("region"),
    ...place("az"),
  };
}
