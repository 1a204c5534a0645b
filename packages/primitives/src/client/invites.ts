export type InviteCreate = {
  /** From a second to a day. */
  readonly ttlMs: number;
  /** `user@machine`, for people only. */
  readonly by: string;
  readonly name?: string;
  readonly region?: string;
  readonly az?: string;
};
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
