import Type, { type Static } from "typebox";
import { list, object, text } from "../model/schema.ts";
import type { Body } from "./bodies.ts";

/** Body of `POST /v1/invites`. */
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
/** An invite as listed: without its secret. */
export const InviteRow = object(row);
/** Static type of the schema of this name. */
export type InviteRow = Static<typeof InviteRow>;
/** A new invite, with the token, which is shown this once. */
export const InviteCreated = object({
  kind: Type.Literal("invite-created"),
  token: text(),
  invite: InviteRow,
});
/** Static type of the schema of this name. */
export type InviteCreated = Static<typeof InviteCreated>;
/** All invites that are not forgotten. */
export const InviteList = object({
  kind: Type.Literal("invites"),
  invites: list(InviteRow),
});
/** Static type of the schema of this name. */
export type InviteList = Static<typeof InviteList>;
/** One invite. */
export const InviteDocument = object({ kind: Type.Literal("invite"), ...row });
/** Static type of the schema of this name. */
export type InviteDocument = Static<typeof InviteDocument>;
