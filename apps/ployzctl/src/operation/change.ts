import type { Asked } from "../api.ts";
import type { Context, Input } from "../command.ts";
import { confirm } from "./confirm.ts";
import { type Outcome, runOperation } from "./follow.ts";

export async function change(context: Context, asked: Asked, preview: boolean): Promise<Outcome> {
  const mode = preview ? "preview" : "apply";
  return (await runOperation(context, { ...asked, mode })).outcome;
}

/** For what removes something: shows the plan and asks, unless `--yes` or `--preview` was given. */
export async function changeAfterAsking(
  context: Context,
  asked: Asked,
  { input, question }: { readonly input: Input; readonly question: string },
): Promise<Outcome> {
  if (input.flag("preview")) return change(context, asked, true);
  if (!input.flag("yes")) {
    const planned = await change(context, asked, true);
    if (planned.kind !== "plan" || !planned.changes) return planned;
    const { planText } = await import("../output/pages/plan.ts");
    await confirm(context, planned.primitive, `${planText(planned)}\n${question}`);
  }
  return change(context, asked, false);
}
