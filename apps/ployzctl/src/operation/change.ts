import type { Context, Input } from "../command.ts";
import { confirm } from "./confirm.ts";
import { type Outcome, runOperation } from "./follow.ts";

export interface Change {
  readonly primitive: string;
  readonly input: unknown;
}

export async function change(
  context: Context,
  { primitive, input }: Change,
  preview: boolean,
): Promise<Outcome> {
  const mode = preview ? "preview" : "apply";
  return (await runOperation(context, { primitive, input, mode })).outcome;
}

/** For what removes something: shows the plan and asks, unless `--yes` or `--preview` was given. */
export async function changeAfterAsking(
  context: Context,
  asked: Change,
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
