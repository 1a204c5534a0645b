import { createHmac } from "node:crypto";
import type { AlertCondition, AlertFormat } from "@ployz/primitives/protocol";

export interface Message {
  readonly id: string;
  /** RFC 3339. */
  readonly at: string;
  readonly cluster: string;
  readonly begun: readonly AlertCondition[];
  readonly ended: readonly AlertCondition[];
  /** Earlier ones that begun or ended, which the receiver did not take in time. */
  readonly omitted?: number;
  readonly test?: true;
}

export interface Written {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

const SHOWN = 20;
/** Of a line, in letters. */
const LINE = 500;
/** Of a text, in bytes, with some to spare: a longer one is refused, cut, or becomes a file. Sources: as below. */
const MOST = { slack: 39_000, mattermost: 16_000, discord: 1_950, ntfy: 4_000 } as const;

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
  slack: (message) => json({ text: textOf(message, MOST.slack, markup) }),
  mattermost: (message) => json({ text: textOf(message, MOST.mattermost, plain) }),
  // Names in a message are no mentions.
  discord: (message) =>
    json({ content: textOf(message, MOST.discord, plain), allowed_mentions: { parse: [] } }),
  ntfy: (message) => ({
    body: textOf(message, MOST.ntfy),
    headers: {
      "Content-Type": "text/plain; charset=utf-8",
      Title: `ployz ${message.cluster}`,
      Priority: message.begun.length > 0 && message.test !== true ? "high" : "default",
      Tags: message.begun.length > 0 ? "warning" : "white_check_mark",
    },
  }),
};

/** Slack's text is marked up: only these three characters have to be escaped. */
const markup = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

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

/** Lines beyond `most` bytes are counted instead. `dress`: the marks of the receiver's format. */
export function textOf(
  { cluster, begun, ended, test, omitted = 0 }: Message,
  most = Number.POSITIVE_INFINITY,
  dress = (text: string): string => text,
): string {
  if (test) return dress(`${cluster}: this is a test of ployzctl alert test`);
  const lines = [
    ...begun.map(({ message, hint }) => `problem: ${message} (${hint})`),
    ...ended.map(({ message, since }) => `over: ${message} (since ${since})`),
  ].map((line) => (line.length <= LINE ? line : `${line.slice(0, LINE)}…`));
  const missed =
    omitted > 0 ? [`and ${omitted} earlier ones, which this receiver did not take: ployzctl alert ls`] : [];
  const withFirst = (shown: number) => {
    const more = lines.length > shown ? [`and ${lines.length - shown} more: ployzctl status`] : [];
    return dress([cluster, ...lines.slice(0, shown), ...more, ...missed].join("\n"));
  };
  let shown = Math.min(lines.length, SHOWN);
  while (shown > 0 && Buffer.byteLength(withFirst(shown)) > most) shown -= 1;
  return withFirst(shown);
}
