import Type, { type Static } from "typebox";
import type { Refusal } from "../error-codes.ts";
import type { MachineRecord } from "./machine.ts";
import { object, text } from "./schema.ts";

/** Intent: leave for one machine to become a member, under the fact `invite.<id>`. The secret is only in the token; here is its hash. */
export const Invite = object({
  id: text(),
  /** SHA-256 of the secret, hexadecimal. */
  secretHash: text(),
  /** The machine whose join port and key the token names. */
  inviter: text(),
  by: text(),
  /** Milliseconds since the epoch, by the inviter's clock. */
  createdAt: Type.Number(),
  expiresAt: Type.Number(),
  /** What the machine that uses it gets, whatever it says of itself. */
  name: Type.Optional(text()),
  region: Type.Optional(text()),
  az: Type.Optional(text()),
  revoked: Type.Optional(Type.Literal(true)),
  /** Taken by `operation`, which gives it back when it is undone. */
  used: Type.Optional(object({ machine: text(), publicKey: text(), operation: text(), at: Type.Number() })),
});
export type Invite = Static<typeof Invite>;

/** The pattern of an invite's id. */
export const INVITE_ID = /^[0-9a-f]{16}$/;

/** An answer can be lost: for so long the machine that used an invite may ask again. */
export const INVITE_GRACE_MS = 600_000;

const HINT = "on a member: ployzctl machine invite create";

/** Why the machine with this WireGuard key cannot use the invite, if it cannot. */
export function refuseInvite(
  invite: Invite | undefined,
  { publicKey, now }: { readonly publicKey: string; readonly now: number },
): Refusal | undefined {
  if (invite === undefined)
    return { code: "invite_unknown", message: "the cluster does not know this invite", hint: HINT };
  const { id, used, expiresAt } = invite;
  if (invite.revoked) return { code: "invite_revoked", message: `invite ${id} was revoked`, hint: HINT };
  if (used !== undefined && (used.publicKey !== publicKey || now > used.at + INVITE_GRACE_MS))
    return {
      code: "invite_used",
      message: `invite ${id} was used by machine ${used.machine}`,
      hint: HINT,
      operationId: used.operation,
    };
  if (used === undefined && now >= expiresAt)
    return { code: "invite_expired", message: `invite ${id} has expired`, hint: HINT };
  return undefined;
}

/** The member that came in by this invite, once it is one. */
export function memberBy({ used }: Invite, machines: readonly MachineRecord[]): MachineRecord | undefined {
  return machines.find(
    ({ id, state, operation }) => id === used?.machine && state === "active" && operation === used.operation,
  );
}
