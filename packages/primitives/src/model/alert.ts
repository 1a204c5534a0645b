import Type, { type Static } from "typebox";
import { label } from "./fields.ts";
import { count, list, object, text } from "./schema.ts";

/** How a message is written: Ployz's own JSON, as webhooks of Slack, Mattermost, Discord or ntfy take it, or as mail by SMTP. */
export const AlertFormat = Type.Enum(["json", "slack", "mattermost", "discord", "ntfy", "mail"]);
/** Static type of the schema of this name. */
export type AlertFormat = Static<typeof AlertFormat>;

/** The fact `alert.<name>`: where conditions are sent. The URL is sealed, as a secret of no namespace's. */
export const AlertRecord = object({
  name: label(),
  format: AlertFormat,
  /** Scheme and host. */
  to: text(),
  /** Each message carries an HMAC. */
  signed: Type.Optional(Type.Literal(true)),
  /** Of the sealed URL. */
  version: text(),
  /** RFC 3339. */
  at: text(),
  by: text(),
  /** The last try. `failures`: in a row. */
  delivery: Type.Optional(
    object({ at: text(), machine: text(), failures: count(), error: Type.Optional(text()) }),
  ),
});
/** Static type of the schema of this name. */
export type AlertRecord = Static<typeof AlertRecord>;

/** A condition of the cluster that alerts tell. */
export const AlertCondition = object({
  code: text(),
  /** What it concerns. */
  about: text(),
  message: text(),
  hint: text(),
  /** RFC 3339. */
  since: text(),
});
/** Static type of the schema of this name. */
export type AlertCondition = Static<typeof AlertCondition>;

const batch = {
  id: text(),
  at: text(),
  begun: list(AlertCondition),
  ended: list(AlertCondition),
};

/** The fact `alerting.state`: conditions that alerts have sent, and messages still to send. Written by the machine that has the lease `alerts`. */
export const AlertState = object({
  open: list(AlertCondition),
  /** `left`: alerts that have not taken it yet. `omitted`: conditions of earlier messages, which there was no room to keep. */
  outbox: list(object({ ...batch, left: list(text()), omitted: Type.Optional(count()) })),
  /** The store's leader, since when, and the one before. */
  leader: Type.Optional(object({ machine: text(), at: text(), before: Type.Optional(text()) })),
});
/** Static type of the schema of this name. */
export type AlertState = Static<typeof AlertState>;

/** The key of the fact of an alert. */
export const alertKey = (name: string): `alert.${string}` => `alert.${name}`;
