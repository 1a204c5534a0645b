import type { MigrateInput } from "@ployz/primitives";
import type { Context, Input } from "../../command.ts";
import type { ErrorDocument } from "../../documents.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { needLabel } from "../../names.ts";
import { change } from "../../operation/change.ts";
import type { Outcome } from "../../operation/follow.ts";
import { given, needDuration, needInNamespace, needSize } from "../../values.ts";

export async function migrate(context: Context, input: Input): Promise<Outcome> {
  const { namespace, name } = await needInNamespace("SERVICE", input.argument("service"));
  const to = input.text("to");
  if (to === undefined) throw usage("--to MACHINE is missing", "ployzctl machine ls");
  const [downtime, rate, rounds] = [
    input.text("max-downtime"),
    input.text("rate"),
    input.number("max-rounds"),
  ];
  if (rounds !== undefined && (rounds < 1 || rounds > 20))
    throw usage("--max-rounds must be a number from 1 to 20");
  const wanted: MigrateInput = {
    namespace,
    service: name,
    to: await needLabel("--to", to),
    ...given("maxRounds", rounds),
    ...given(
      "maxDowntimeMs",
      downtime === undefined ? undefined : await needDuration("--max-downtime", downtime),
    ),
    ...given("bytesPerSecond", rate === undefined ? undefined : await needSize("--rate", rate)),
  };
  const loss = input.list("accept-loss");
  if (!input.flag("from-standby")) {
    if (loss.length > 0) throw usage("--accept-loss goes with --from-standby");
    return change(context, { primitive: "migrate", input: wanted }, input.flag("preview"));
  }
  return fromStandby(context, input, { ...wanted, fromStandby: true, acceptLoss: loss });
}

/** Asks for the loss of each volume that the plan names, unless it was accepted. */
async function fromStandby(context: Context, input: Input, wanted: MigrateInput): Promise<Outcome> {
  const asked = { primitive: "migrate", input: wanted } as const;
  if (input.flag("preview")) return change(context, asked, true);
  const planned = await change(context, asked, true);
  if (planned.kind === "plan") return change(context, asked, false);
  const refusals = planned.kind === "error" ? (planned.refusals ?? []) : [];
  const lost = lossOf(refusals);
  if (lost.length === 0 || lost.length < refusals.length) return planned;
  const { acceptLoss = [] } = wanted;
  const messages = lost.map(({ message }) => message).join("\n");
  const answer = await context.confirm(`${messages}\nServe from the standby, without the later writes?`);
  if (answer === undefined) return planned;
  if (!answer) throw new PloyzError({ code: "aborted", message: "not confirmed: nothing was changed" });
  const accepted = { ...wanted, acceptLoss: [...acceptLoss, ...lost.map(({ volume }) => volume)] };
  return change(context, { primitive: "migrate", input: accepted }, false);
}

function lossOf(refusals: NonNullable<ErrorDocument["refusals"]>) {
  return refusals.flatMap(({ code, message, details }) =>
    code === "data_loss_unconfirmed" && typeof details?.volume === "string"
      ? [{ message, volume: details.volume }]
      : [],
  );
}
