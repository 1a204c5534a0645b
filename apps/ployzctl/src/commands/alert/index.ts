import type { Command } from "../../command.ts";

const alert = { name: "name", summary: "The alert's name", required: true } as const;

export const alertCommands: readonly Command[] = [
  {
    path: ["alert", "add"],
    summary: "Send the cluster's conditions to a URL, when they begin and end",
    details: [
      "One machine sends one message when a condition has lasted 20 seconds, and one when it has been over for 20 seconds. Conditions that begin or end together share one message. They are warnings of `ployzctl status`; docs/alerts.md lists them. A message that the receiver refuses is sent again.",
      "The URL is sealed in the store like a secret; commands print its host only. Mail: smtp:// with STARTTLS, or smtps://, with `from` and `to` as in the example. `--to -` reads the URL from stdin. `--key-file` names a file with at least 16 characters: messages then carry its HMAC.",
      "Adding an alert again replaces its URL, format and key.",
    ],
    args: [alert],
    options: {
      to: { type: "text", value: "URL", summary: "Where to send messages; - reads it from stdin" },
      format: {
        type: "text",
        value: "FORMAT",
        summary: "json (the default), slack, mattermost, discord, ntfy or mail",
      },
      "key-file": {
        type: "text",
        value: "FILE",
        summary: "Sign each message with the key in this file",
        sets: ["key"],
      },
    },
    prints: ["alert-set"],
    examples: [
      "ployzctl alert add ops --to https://hooks.slack.com/services/… --format slack",
      "ployzctl alert add mail --to 'smtps://U:P@mx.x.com/?from=a@x.com&to=b@x.com'",
      "ployzctl alert add pager --to - --key-file key < url.txt",
    ],
    run: async (context, input) => (await import("./alert.ts")).add(context, input),
  },
  {
    path: ["alert", "ls"],
    summary: "List alerts with their last delivery, and conditions that last",
    prints: ["alerts"],
    examples: ["ployzctl alert ls"],
    async run(context) {
      return (await context.client()).request("GET /v1/alerts", { signal: context.signal });
    },
  },
  {
    path: ["alert", "show"],
    summary: "Show an alert, its last delivery and the conditions that last",
    prints: ["alert"],
    args: [alert],
    examples: ["ployzctl alert show ops"],
    run: async (context, input) => (await import("./alert.ts")).show(context, input),
  },
  {
    path: ["alert", "test"],
    summary: "Send a test message to an alert",
    prints: ["alert-tested"],
    args: [alert],
    examples: ["ployzctl alert test ops"],
    run: async (context, input) => (await import("./alert.ts")).test(context, input),
  },
  {
    path: ["alert", "rm"],
    summary: "Remove an alert; messages that it has not taken are dropped",
    prints: ["alert-removed"],
    args: [alert],
    examples: ["ployzctl alert rm ops"],
    run: async (context, input) => (await import("./alert.ts")).remove(context, input),
  },
];
