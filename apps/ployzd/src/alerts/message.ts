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
 * Sources: Slack's "Sending messages using incoming webhooks", Mattermost's "Incoming webhooks", Discord's "Execute Webhook", ntfy's "Publishing".
 */
export function write(message: Message, format: Exclude<AlertFormat, "mail">, key?: string): Written {
  const { body, headers } = FORMATS[format](message);
  const signature =
    key === undefined
      ? {}
      : { "Ployz-Signature": `sha256=${createHmac("sha256", key).update(body).digest("hex")}` };
  return { body, headers: { "Ployz-Alert-Id": message.id, ...headers, ...signature } };
}

const json = (value: object): Written => ({
  body: JSON.stringify(value),
  headers: { "Content-Type": "application/json" },
});

const FORMATS: Readonly<Record<Exclude<AlertFormat, "mail">, (message: Message) => Written>> = {
  json: (message) => json({ v: 1, ...message }),
  // The text is marked up: only these three characters have to be escaped.
  slack: (message) =>
    json({ text: textOf(message).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;") }),
  mattermost: (message) => json({ text: plain(textOf(message)) }),
  // Names in a message are no mentions.
  discord: (message) =>
    json({ content: plain(textOf(message)).slice(0, DISCORD_MOST), allowed_mentions: { parse: [] } }),
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

/** Of a message, in characters. */
const DISCORD_MOST = 2_000;

/** Markdown's marks of text as text. */
const plain = (text: string): string => text.replace(/[\\`*_~|<>]/g, "\\$&");

/** One line for a mail's subject. */
export function titleOf({ cluster, begun, ended, test }: Message): string {
  if (test) return `[ployz ${cluster}] test`;
  const [first] = begun.length > 0 ? begun : ended;
  const more = begun.length + ended.length - 1;
  const what = `${begun.length > 0 ? "problem" : "over"}: ${first?.message ?? ""}`;
  return `[ployz ${cluster}] ${what.replace(/\s+/g, " ").slice(0, 100)}${more > 0 ? ` (and ${more} more)` : ""}`;
}

export function textOf({ cluster, begun, ended, test }: Message): string {
  if (test) return `${cluster}: this is a test of ployzctl alert test`;
  const lines = [
    ...begun.map(({ message, hint }) => `problem: ${message} (${hint})`),
    ...ended.map(({ message, since }) => `over: ${message} (since ${since})`),
  ];
  const more = lines.length > SHOWN ? [`and ${lines.length - SHOWN} more: ployzctl status`] : [];
  return [cluster, ...lines.slice(0, SHOWN), ...more].join("\n");
}
