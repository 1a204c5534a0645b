import Type, { type Static } from "typebox";
import { list, object, text } from "../model/schema.ts";
import type { Body } from "./bodies.ts";

export type InviteCreate = Body<"POST /v1/invites">;
const row = {
  id: text(),
  /** `joining`: taken by a machine whose join has not been committed. */
  state: Type.Enum(["open", "joining", "used", "expired", "revoked"]),
  inviter: text(),
  by: text(),
  createdAt: text(),
  expiresAt: text(),
  name: Type.Optional(text()),
  region: Type.Optional(text()),
  az: Type.Optional(text()),
  /** The machine that took it, and the operation by which it did. */
  machine: Type.Optional(text()),
  operation: Type.Optional(text()),
};
export const InviteRow = object(row);
export type InviteRow = Static<typeof InviteRow>;
export const InviteCreated = object({
  kind: Type.Literal("invite-created"),
  token: text(),
  invite: InviteRow,
});
export type InviteCreated = Static<typeof InviteCreated>;
export const InviteList = object({
  kind: Type.Literal("invites"),
  invites: list(InviteRow),
});
export type InviteList = Static<typeof InviteList>;
export const InviteDocument = object({ kind: Type.Literal("invite"), ...row });
export type InviteDocument = Static<typeof InviteDocument>;
