import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { InviteCreate, InviteRow } from "@ployz/primitives/client";
import {
  INVITE_ID,
  type Invite,
  type MachineRecord,
  memberBy,
  type Store,
  shown,
} from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";

/** Ended invites stay listed for a week; creating the next one deletes them. */
const KEPT_MS = 7 * 86_400_000;

export const hashOf = (secret: string): string => createHash("sha256").update(secret).digest("hex");

/** Constant time: equally long for a wrong secret, a right one, and a missing invite. */
export function holdsSecret(invite: Invite | undefined, secret: string): boolean {
  const known = Buffer.from(invite?.secretHash ?? "0".repeat(64), "hex");
  return timingSafeEqual(known, Buffer.from(hashOf(secret), "hex")) && invite !== undefined;
}

/** Creates an invite, not yet in the store, and its secret. */
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
    const { expiresAt } = old.value;
    if (expiresAt + KEPT_MS < invite.createdAt) await facts.remove(old.key, old.revision);
  }
  const written = await facts.put(`invite.${invite.id}`, invite, 0);
  if (!written.ok) throw new Error(`invite ${invite.id} exists`); // 64 random bits twice
}

export async function listInvites(
  { facts }: Pick<Store, "facts">,
  now: number,
): Promise<readonly InviteRow[]> {
  const [invites, machines] = await Promise.all([facts.list("invite"), facts.list("machine")]);
  const records = machines.map(({ value }) => value);
  return invites
    .map(({ value }) => value)
    .sort((a, b) => a.createdAt - b.createdAt)
    .map((invite) => rowOf(invite, records, now));
}

/** Revokes an invite. A machine that has used it stays. */
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
      message: `invite ${id} does not exist`,
      hint: "ployzctl machine invite ls",
    });
  const invite = found.value;
  if (invite.used !== undefined) {
    const { machine, operation } = invite.used;
    throw new PloyzError({
      code: "invite_used",
      message: `invite ${id} was used by machine ${machine}`,
      hint: `see its operation: ployzctl ops show ${operation}`,
    });
  }
  const revoked: Invite = { ...invite, revoked: true };
  const written = await facts.put(found.key, revoked, found.revision);
  if (!written.ok)
    throw new PloyzError({
      code: "conflict",
      message: `invite ${id} changed meanwhile: a machine may be using it`,
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
