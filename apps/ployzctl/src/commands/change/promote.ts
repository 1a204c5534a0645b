import type { PromoteInput } from "@ployz/primitives";
import type { Context, Input } from "../../command.ts";
import { needLabel } from "../../names.ts";
import { change } from "../../operation/change.ts";
import type { Outcome } from "../../operation/follow.ts";
import { given, needPairs } from "../../values.ts";

export async function promote(context: Context, input: Input): Promise<Outcome> {
  const wanted: PromoteInput = {
    source: await needLabel("SOURCE", input.argument("source")),
    target: await needLabel("TARGET", input.argument("target")),
    ...given(
      "volumes",
      await needPairs("--volume", input.list("volume"), {
        right: ["keep", "replace"],
        example: "assets=replace",
      }),
    ),
  };
  return change(context, { primitive: "promote", input: wanted }, input.flag("preview"));
}
