import type { MigrateInput } from "@ployz/primitives";
import type { Asked } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { needLabel } from "../../names.ts";
import { change } from "../../operation/change.ts";
import type { Outcome } from "../../operation/follow.ts";
import { previewLoss, unconfirmedIn } from "../../operation/loss.ts";
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
  const accepting = (volumes: readonly string[]): Asked => ({
    primitive: "migrate",
    input: { ...wanted, acceptLoss: [...(wanted.acceptLoss ?? []), ...volumes] },
  });
  if (input.flag("preview")) return previewLoss(context, accepting);
  const planned = await change(context, accepting([]), true);
  if (planned.kind === "plan") return change(context, accepting([]), false);
  const lost = unconfirmedIn(planned);
  if (lost.length === 0) return planned;
  const messages = lost.map(({ error }) => error.message).join("\n");
  const answer = await context.confirm(`${messages}\nServe from the standby, without the later writes?`);
  if (answer === undefined) return planned;
  if (!answer) throw new PloyzError({ code: "aborted", message: "not confirmed: nothing was changed" });
  return change(context, accepting(lost.map(({ volume }) => volume)), false);
}
