import type { PlanView } from "../api.ts";
import type { Context, Input } from "../command.ts";
import { PloyzError } from "../error-codes.ts";
import { usage } from "../errors.ts";
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

/** What takes something away: shows the plan and asks, unless `--yes` or `--preview` was said. */
export async function changeAfterAsking(
  context: Context,
  asked: Change,
  { input, question }: { readonly input: Input; readonly question: string },
): Promise<Outcome> {
  if (input.flag("preview")) return change(context, asked, true);
  if (!input.flag("yes")) {
    const planned = await change(context, asked, true);
    if (planned.kind !== "plan" || !planned.changes) return planned;
    await agree(context, planned, question);
  }
  return change(context, asked, false);
}

async function agree(context: Context, plan: PlanView, question: string): Promise<void> {
  const { planText } = await import("../output/pages/plan.ts");
  const answer = await context.confirm(`${planText(plan)}\n${question}`);
  if (answer === undefined)
    throw usage(
      `${plan.primitive} asks first, and there is nobody to ask`,
      "say --yes, or --preview to look only",
    );
  if (!answer) throw new PloyzError({ code: "aborted", message: "nothing was changed" });
}
