import type { Command } from "../../command.ts";
import { needLabel } from "../../names.ts";
import { given, needDuration } from "../../values.ts";

export const inviteCommands: readonly Command[] = [
  {
    path: ["machine", "invite", "create"],
    summary: "Create a token that lets one machine join without SSH",
    prints: ["invite-created"],
    details: [
      "The token is printed once and stored nowhere; anyone who has it can join one machine. The new machine connects to TCP join_port (51821) of this one, which is open while an invite is. Run there: ployzctl daemon install, then ployzctl mesh join --token-stdin.",
    ],
    options: {
      ttl: { type: "text", value: "TIME", summary: "How long the token is valid, at most 24h; default 10m" },
      name: { type: "text", value: "NAME", summary: "Name of the machine; default: its host name" },
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
    path: ["machine", "invite", "ls"],
    summary: "List invites: state, expiry and the machine that used each",
    prints: ["invites"],
    examples: ["ployzctl machine invite ls"],
    run: async (context) => (await context.client()).request("GET /v1/invites", { signal: context.signal }),
  },
  {
    path: ["machine", "invite", "revoke"],
    summary: "Revoke an invite before a machine uses it",
    prints: ["invite"],
    args: [{ name: "invite", summary: "Id of the invite", required: true, source: "invite" }],
    examples: ["ployzctl machine invite revoke 01m849jk"],
    run: async (context, input) =>
      (await context.client()).request("POST /v1/invites/:id/revoke", {
        params: { id: input.argument("invite") ?? "" },
        signal: context.signal,
      }),
  },
];
