import type { Command, Context, Input } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { needLabel } from "../../names.ts";
import { type Outcome, runOperation } from "../../operation/follow.ts";

const machine = [{ name: "machine", summary: "Its name", required: true }] as const;
const preview = { type: "flag", short: "n", summary: "Show what would be done, change nothing" } as const;

const named = (input: Input): Promise<string> => needLabel("MACHINE", input.argument("machine"));

const change = async (
  context: Context,
  primitive: string,
  input: { readonly machine: string; readonly [field: string]: unknown },
  mode: "preview" | "apply" = "apply",
): Promise<Outcome> => (await runOperation(context, { primitive, mode, input })).outcome;

export const lifecycleCommands: readonly Command[] = [
  {
    path: ["machine", "drain"],
    summary: "Nothing new comes to a machine; with --migrate, what is there moves away",
    details:
      "It stays a member with tunnel, gateway and DNS. Without --migrate nothing moves.\n" +
      "With it, one namespace after the other moves: services start elsewhere before they stop here, and volumes are copied while they are in use.",
    args: machine,
    options: {
      migrate: { type: "flag", summary: "Move instances and volumes to other machines" },
      preview,
    },
    examples: ["ployzctl machine drain m2 --migrate -n"],
    run: async (context, input) =>
      change(
        context,
        "machine-drain",
        { machine: await named(input), ...(input.flag("migrate") && { migrate: true }) },
        input.flag("preview") ? "preview" : "apply",
      ),
  },
  {
    path: ["machine", "activate"],
    summary: "A machine that drained or was on standby takes new instances again",
    args: machine,
    run: async (context, input) => change(context, "machine-activate", { machine: await named(input) }),
  },
  {
    path: ["machine", "standby"],
    summary: "Keep an empty machine in reserve: a member that nothing comes to",
    args: machine,
    run: async (context, input) => change(context, "machine-standby", { machine: await named(input) }),
  },
  {
    path: ["machine", "rm"],
    summary: "Move what a machine runs to others, and end its membership",
    details:
      "Works on any member, also on the machine that is removed. Datasets stay on its disk and are listed.\n" +
      "--force is for a machine that never comes back: each volume that is only there has to be named with --lose.",
    args: machine,
    options: {
      preview,
      force: { type: "flag", summary: "It does not answer and never will: what is there is lost" },
      lose: {
        type: "list",
        value: "NS/VOLUME",
        summary: "With --force: give up this volume. Once for each",
      },
      yes: { type: "flag", summary: "Do not ask. Does not stand for --lose" },
    },
    examples: ["ployzctl machine rm m2 -n", "ployzctl machine rm m3 --force --lose prod/pgdata"],
    run: remove,
  },
];

async function remove(context: Context, input: Input): Promise<Outcome> {
  const id = await named(input);
  const force = input.flag("force");
  const lose = input.list("lose");
  if (lose.length > 0 && !force)
    throw usage("--lose goes with --force", "without it nothing is lost: volumes move");
  const wanted = { machine: id, ...(force && { force }), ...(lose.length > 0 && { lose }) };
  if (input.flag("preview")) return change(context, "machine-rm", wanted, "preview");
  if (!input.flag("yes")) {
    const how = force
      ? "What is only there is lost, and it is never let in again."
      : "What it runs moves to other machines.";
    const answer = await context.confirm(`Remove machine ${id}? ${how}`);
    if (answer === undefined) throw usage("machine rm asks first, and there is nobody to ask", "say --yes");
    if (!answer) throw new PloyzError({ code: "aborted", message: "nothing was changed" });
  }
  return change(context, "machine-rm", wanted);
}
