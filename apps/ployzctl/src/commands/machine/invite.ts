import type { Command } from "../../command.ts";
import { needLabel } from "../../names.ts";
import { given, needDuration } from "../../values.ts";

export const inviteCommands: readonly Command[] = [
  {
    path: ["machine", "invite", "create"],
    summary: "Make a token with which one machine can join, without SSH",
    details:
      "The token is printed once and stored nowhere: whoever has it may join. The new machine reaches this one on TCP join_port\n" +
      "(51821), which is open while an invite is. There: ployzctl daemon install, then ployzctl mesh join --token-stdin.",
    options: {
      ttl: { type: "text", value: "TIME", summary: "How long it can be used, at most 24h; default 10m" },
      name: { type: "text", value: "NAME", summary: "The machine's name; default: its host name" },
      region: { type: "text", value: "R", summary: "Placement label; default: the new machine's own" },
      az: { type: "text", value: "Z", summary: "Placement label: availability zone" },
    },
    examples: ["ployzctl machine invite create --ttl 10m --name m4 > token"],
    async run(context, input) {
      const name = input.text("name");
      return (await context.client()).request("POST /v1/invites", {
        body: {
          ttlMs: await needDuration("--ttl", input.text("ttl") ?? "10m"),
          by: context.terminal.by,
          ...(name !== undefined && { name: await needLabel("--name", name) }),
          ...given("region", input.text("region")),
          ...given("az", input.text("az")),
        },
        signal: context.signal,
      });
    },
  },
  {
    path: ["machine", "invite", "list"],
    summary: "Invites: which can be used, until when, and which machine used one",
    run: async (context) => (await context.client()).request("GET /v1/invites", { signal: context.signal }),
  },
  {
    path: ["machine", "invite", "revoke"],
    summary: "End an invite before anybody uses it",
    args: [{ name: "invite", summary: "Its id", required: true }],
    run: async (context, input) =>
      (await context.client()).request("POST /v1/invites/:id/revoke", {
        params: { id: input.argument("invite") ?? "" },
        signal: context.signal,
      }),
  },
];
