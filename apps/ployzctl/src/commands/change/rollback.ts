import type { RollbackInput } from "@ployz/primitives";
import type { Context, Input } from "../../command.ts";
import { needLabel } from "../../names.ts";
import { change } from "../../operation/change.ts";
import type { Outcome } from "../../operation/follow.ts";
import { given, needCommit } from "../../values.ts";

export async function rollback(context: Context, input: Input): Promise<Outcome> {
  const to = input.text("to");
  const wanted: RollbackInput = {
    namespace: await needLabel("NAMESPACE", input.argument("namespace")),
    ...given("to", to === undefined ? undefined : needCommit("--to", to)),
    ...given("volumes", await whichVolumes(input.text("volumes"))),
  };
  return change(context, { primitive: "rollback", input: wanted }, input.flag("preview"));
}

async function whichVolumes(text: string | undefined): Promise<RollbackInput["volumes"]> {
  if (text === undefined || text === "none" || text === "all") return text;
  const names: string[] = [];
  for (const name of text.split(",")) names.push(await needLabel("--volumes", name.trim()));
  return [...new Set(names)];
}
