import type { Asked } from "../../api.ts";
import type { Command, Context, Input } from "../../command.ts";
import { usage } from "../../errors.ts";
import { CHANGE, PREVIEW } from "../../flags.ts";
import { needLabel } from "../../names.ts";
import { change, changeAfterAsking } from "../../operation/change.ts";
import type { Outcome } from "../../operation/follow.ts";
import { previewLoss } from "../../operation/loss.ts";

const machine = [
  { name: "machine", summary: "Name of the machine", required: true, source: "machine" },
] as const;

const named = (input: Input): Promise<string> => needLabel("MACHINE", input.argument("machine"));

export const lifecycleCommands: readonly Command[] = [
  {
    path: ["machine", "drain"],
    summary: "Stop placing work on a machine; --migrate moves its work off",
    prints: CHANGE,
    details: [
      "The machine stays a member with tunnel, gateway and DNS. With --migrate, one namespace after the other moves: services start elsewhere before they stop here, and volumes are copied while they are in use.",
    ],
    args: machine,
    options: {
      migrate: { type: "flag", summary: "Move instances and volumes to other machines" },
      ...PREVIEW,
    },
    examples: ["ployzctl machine drain m2 --migrate -n"],
    run: async (context, input) =>
      change(
        context,
        {
          primitive: "machine-drain",
          input: { machine: await named(input), ...(input.flag("migrate") && { migrate: true }) },
        },
        input.flag("preview"),
      ),
  },
  {
    path: ["machine", "activate"],
    summary: "Let a drained or standby machine receive workloads again",
    prints: CHANGE,
    args: machine,
    examples: ["ployzctl machine activate m2"],
    run: async (context, input) =>
      change(context, { primitive: "machine-activate", input: { machine: await named(input) } }, false),
  },
  {
    path: ["machine", "standby"],
    summary: "Keep an empty machine in reserve; it receives no workloads",
    prints: CHANGE,
    args: machine,
    examples: ["ployzctl machine standby m4"],
    run: async (context, input) =>
      change(context, { primitive: "machine-standby", input: { machine: await named(input) } }, false),
  },
  {
    path: ["machine", "rm"],
    summary: "Move a machine's workloads to others and remove it",
    prints: CHANGE,
    details: [
      "Runs on any member, including the one to remove. Datasets stay on the removed machine's disk and are listed.",
      "--force removes a machine that will never come back: name each volume that exists only there with --lose.",
    ],
    args: machine,
    options: {
      ...PREVIEW,
      force: { type: "flag", summary: "Remove an unreachable machine; data that exists only there is lost" },
      "from-standby": {
        type: "flag",
        summary: "With --force: serve volumes that have a standby from it, without their last writes",
      },
      lose: {
        type: "list",
        value: "NS/VOLUME",
        source: "volume",
        summary: "With --force: give up this volume, or its last writes; once for each volume",
      },
      yes: { type: "flag", short: "y", summary: "Do not ask for confirmation. Does not imply --lose" },
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
    throw usage("--lose goes with --force", "without --force volumes move to other machines");
  const fromStandby = input.flag("from-standby");
  if (fromStandby && !force) throw usage("--from-standby goes with --force", "without --force volumes move");
  const wanted = {
    machine: id,
    ...(force && { force }),
    ...(fromStandby && { fromStandby }),
  };
  const giving = (volumes: readonly string[]): Asked => {
    const given = [...lose, ...volumes];
    return { primitive: "machine-rm", input: { ...wanted, ...(given.length > 0 && { lose: given }) } };
  };
  if (input.flag("preview")) return previewLoss(context, giving);
  const how = force
    ? "Data that exists only there is lost, and it can never rejoin."
    : "Its work moves to others.";
  return changeAfterAsking(context, giving([]), { input, question: `Remove machine ${id}? ${how}` });
}
