import type { Body } from "./bodies.ts";

export type InviteCreate = Body<"POST /v1/invites">;
export type InviteRow = {
  readonly id: string;
  /** `joining`: taken by a machine whose join has not been committed. */
  readonly state: "open" | "joining" | "used" | "expired" | "revoked";
  readonly inviter: string;
  readonly by: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly name?: string;
  readonly region?: string;
  readonly az?: string;
  /** The machine that took it, and the operation by which it did. */
  readonly machine?: string;
  readonly operation?: string;
};
export type InviteCreated = {
  readonly kind: "invite-created";
  readonly token: string;
  readonly invite: InviteRow;
};
export type InviteList = { readonly kind: "invites"; readonly invites: readonly InviteRow[] };
export type InviteDocument = { readonly kind: "invite" } & InviteRow;
