import { createHmac } from "node:crypto";
import type { AlertCondition, AlertFormat } from "@ployz/primitives/protocol";

export interface Message {
  readonly id: string;
  /** RFC 3339. */
  readonly at: string;
  readonly cluster: string;
  readonly begun: readonly AlertCondition[];
  readonly ended: readonly AlertCondition[];
  readonly test?: true;
}

export interface Written {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

const SHOWN = 20;

/**
 * A message as its receiver takes it. With a key, `Ployz-Signature` is the HMAC-SHA256 of the body, in hexadecimal. Pure.
 * Sources: Slack's "Sending messages using incoming webhooks"; ntfy's "Publishing".
 */
export function write(message: Message, format: AlertFormat, key?: string): Written {
  const { body, headers } = FORMATS[format](message);
  const signature =
    key === undefined
      ? {}
      : { "Ployz-Signature": `sha256=${createHmac("sha256", key).update(body).digest("hex")}` };
  return { body, headers: { "Ployz-Alert-Id": message.id, ...headers, ...signature } };
}

const FORMATS: Readonly<Record<AlertFormat, (message: Message) => Written>> = {
  json: (message) => ({
    body: JSON.stringify({ v: 1, ...message }),
    headers: { "Content-Type": "application/json" },
  }),
  slack: (message) => ({
    // The text is marked up: only these three characters have to be escaped.
    body: JSON.stringify({
      text: textOf(message).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"),
    }),
    headers: { "Content-Type": "application/json" },
  }),
  ntfy: (message) => ({
    body: textOf(message),
    headers: {
      "Content-Type": "text/plain; charset=utf-8",
      Title: `ployz ${message.cluster}`,
      Priority: message.begun.length > 0 && message.test !== true ? "high" : "default",
      Tags: message.begun.length > 0 ? "warning" : "white_check_mark",
    },
  }),
};

function textOf({ cluster, begun, ended, test }: Message): string {
  if (test) return `${cluster}: this is a test of ployzctl alert test`;
  const lines = [
    ...begun.map(({ message, hint }) => `problem: ${message} (${hint})`),
    ...ended.map(({ message, since }) => `over: ${message} (since ${since})`),
  ];
  const more = lines.length > SHOWN ? [`and ${lines.length - SHOWN} more: ployzctl status`] : [];
  return [cluster, ...lines.slice(0, SHOWN), ...more].join("\n");
}
