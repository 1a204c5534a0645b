import Type, { type Static } from "typebox";
import { AlertCondition, AlertFormat } from "../model/alert.ts";
import { count, list, object, text } from "../model/schema.ts";
import type { Body } from "./bodies.ts";

/** Where an alert goes. The URL and the key are sealed, and no answer contains them. */
export type AlertSet = Body<"PUT /v1/alerts/:name">;

const row = {
  name: text(),
  format: AlertFormat,
  /** Scheme and host; the rest of the URL is sealed. */
  to: text(),
  signed: Type.Optional(Type.Literal(true)),
  at: text(),
  by: text(),
  /** `new`: nothing was sent yet. `failing`: the last try failed, and is repeated. */
  state: Type.Enum(["new", "ok", "failing"]),
  /** The last try: when, by which machine, how many failed in a row and why. */
  delivery: Type.Optional(
    object({ at: text(), machine: text(), failures: count(), error: Type.Optional(text()) }),
  ),
  /** Messages that it has not taken yet. */
  waiting: count(),
};
/** One alert. */
export const AlertRow = object(row);
/** Static type of the schema of this name. */
export type AlertRow = Static<typeof AlertRow>;
/** The alerts, and the conditions that they have sent and that last. */
export const AlertList = object({
  kind: Type.Literal("alerts"),
  alerts: list(AlertRow),
  conditions: list(AlertCondition),
  /** The machine that sends. Absent: none does at the moment, or the store does not answer. */
  sender: Type.Optional(text()),
  /** The store does not answer: all of it is this machine's last copy. */
  copy: Type.Optional(Type.Literal(true)),
});
/** Static type of the schema of this name. */
export type AlertList = Static<typeof AlertList>;
/** One alert, with the conditions that alerts have sent and that last. */
export const AlertDocument = object({
  kind: Type.Literal("alert"),
  ...row,
  conditions: list(AlertCondition),
});
/** Static type of the schema of this name. */
export type AlertDocument = Static<typeof AlertDocument>;
/** Answer of `alert add` and `alert rm`. */
export const AlertChanged = object({
  kind: Type.Enum(["alert-set", "alert-removed"]),
  name: text(),
  changed: Type.Boolean(),
});
/** Static type of the schema of this name. */
export type AlertChanged = Static<typeof AlertChanged>;
/** Answer of `alert test`: the receiver took a message. */
export const AlertTested = object({ kind: Type.Literal("alert-tested"), name: text(), ms: count() });
/** Static type of the schema of this name. */
export type AlertTested = Static<typeof AlertTested>;
