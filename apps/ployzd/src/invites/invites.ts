import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import {
  INVITE_ID,
  type Invite,
  type InviteCreate,
  type InviteRow,
  type Json,
  type MachineRecord,
  memberBy,
  type Store,
  shown,
} from "@ployz/primitives";
import { PloyzError } from "../error-codes.ts";

/** What has ended stays listed for a week, and goes when the next one is made. */
const KEPT_MS = 7 * 86_400_000;

export const hashOf = (secret: string): string => createHash("sha256").update(secret).digest("hex");

/** Takes as long for a wrong secret as for a right one, and as long for an invite that is not there. */
export function holdsSecret(invite: Invite | undefined, secret: string): boolean {
  const known = Buffer.from(invite?.secretHash ?? "0".repeat(64), "hex");
  return timingSafeEqual(known, Buffer.from(hashOf(secret), "hex")) && invite !== undefined;
}

/** A new invite, not yet in the store, and its secret. */
export function newInvite(
  { ttlMs, by, name, region, az }: InviteCreate,
  { inviter, now }: { readonly inviter: string; readonly now: number },
): { readonly invite: Invite; readonly secret: string } {
  const secret = randomBytes(32).toString("base64url");
  const invite: Invite = {
    ...{ id: randomBytes(8).toString("hex"), secretHash: hashOf(secret), inviter, by },
    ...{ createdAt: now, expiresAt: now + ttlMs },
    ...(name !== undefined && { name }),
    ...(region !== undefined && { region }),
    ...(az !== undefined && { az }),
  };
  return { invite, secret };
}

export async function putInvite({ facts }: Pick<Store, "facts">, invite: Invite): Promise<void> {
  for (const old of await facts.list("invite")) {
    const { expiresAt } = old.value as unknown as Invite;
    if (expiresAt + KEPT_MS < invite.createdAt) await facts.remove(old.key, old.revision);
  }
  const written = await facts.put(`invite.${invite.id}`, invite as unknown as Json, 0);
  if (!written.ok) throw new Error(`invite ${invite.id} exists`); // 64 random bits twice
}

export async function listInvites(
  { facts }: Pick<Store, "facts">,
  now: number,
): Promise<readonly InviteRow[]> {
  const [invites, machines] = await Promise.all([facts.list("invite"), facts.list("machine")]);
  const records = machines.map(({ value }) => value as unknown as MachineRecord);
  return invites
    .map(({ value }) => value as unknown as Invite)
    .sort((a, b) => a.createdAt - b.createdAt)
    .map((invite) => rowOf(invite, records, now));
}

/** Nobody can use it from now on. What was done with it stays. */
export async function revokeInvite(
  { facts }: Pick<Store, "facts">,
  id: string,
  now: number,
): Promise<InviteRow> {
  if (!INVITE_ID.test(id))
    throw new PloyzError({
      code: "invalid_input",
      message: `invite: ${shown(id)} is not an invite's id`,
      hint: "ployzctl machine invite ls",
    });
  const found = await facts.get(`invite.${id}`);
  if (found === undefined)
    throw new PloyzError({
      code: "invite_unknown",
      message: `there is no invite ${id}`,
      hint: "ployzctl machine invite ls",
    });
  const invite = found.value as unknown as Invite;
  if (invite.used !== undefined) {
    const { machine, operation } = invite.used;
    throw new PloyzError({
      code: "invite_used",
      message: `invite ${id} was used by machine ${machine}`,
      hint: `ployzctl ops show ${operation} says how it went`,
    });
  }
  const revoked: Invite = { ...invite, revoked: true };
  const written = await facts.put(found.key, revoked as unknown as Json, found.revision);
  if (!written.ok)
    throw new PloyzError({
      code: "conflict",
      message: `invite ${id} changed: somebody may be using it`,
      hint: "ployzctl machine invite ls, and run the same command again",
    });
  return rowOf(revoked, [], now);
}

export function rowOf(invite: Invite, machines: readonly MachineRecord[], now: number): InviteRow {
  const { id, inviter, by, createdAt, expiresAt, name, region, az, used } = invite;
  const state =
    used !== undefined
      ? memberBy(invite, machines) === undefined
        ? "joining"
        : "used"
      : invite.revoked
        ? "revoked"
        : now >= expiresAt
          ? "expired"
          : "open";
  return {
    ...{ id, state, inviter, by },
    createdAt: new Date(createdAt).toISOString(),
    expiresAt: new Date(expiresAt).toISOString(),
    ...(name !== undefined && { name }),
    ...(region !== undefined && { region }),
    ...(az !== undefined && { az }),
    ...(used !== undefined && { machine: used.machine, operation: used.operation }),
  };
}
