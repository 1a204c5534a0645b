import type { MigrateInput } from "@ployz/primitives";
import type { Context, Input } from "../../command.ts";
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
  return change(context, { primitive: "migrate", input: wanted }, input.flag("preview"));
}
