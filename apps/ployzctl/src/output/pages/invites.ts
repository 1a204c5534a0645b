import type { InviteList, InviteRow } from "../../api.ts";
import { ago, duration, type Page, table } from "../page.ts";

const TONES: Readonly<Record<InviteRow["state"], "ok" | "warn" | "dim">> = {
  open: "ok",
  joining: "warn",
  used: "dim",
  expired: "dim",
  revoked: "dim",
};

export function invitesPage({ invites }: InviteList, now: number): Page {
  return [
    table(
      "invite",
      ["INVITE", "STATE", "EXPIRES", "CREATED ON", "BY", "FOR", "USED BY"],
      invites.map(({ id, state, expiresAt, inviter, by, name, region, az, machine }) => [
        id,
        { text: state, tone: TONES[state] },
        Date.parse(expiresAt) > now ? `in ${duration(Date.parse(expiresAt) - now)}` : ago(expiresAt, now),
        inviter,
        by,
        [name, region, az].filter((part) => part !== undefined).join("/") || "any machine",
        machine ?? "-",
      ]),
      { empty: "no invites; create one: ployzctl machine invite create", drop: ["BY", "FOR", "CREATED ON"] },
    ),
  ];
}
