import type { ErrorBody } from "@ployz/errors";
import type { Asked } from "../api.ts";
import type { Context } from "../command.ts";
import { change } from "./change.ts";
import type { Outcome } from "./follow.ts";

/** The volumes whose loss is all that an operation is refused for; none when there are other reasons. */
export function unconfirmedIn(
  outcome: Outcome,
): readonly { readonly volume: string; readonly error: ErrorBody }[] {
  const refusals = outcome.kind === "error" ? (outcome.refusals ?? []) : [];
  const lost = refusals.flatMap((error) =>
    error.code === "data_loss_unconfirmed" && typeof error.details?.volume === "string"
      ? [{ error, volume: error.details.volume }]
      : [],
  );
  return lost.length < refusals.length ? [] : lost;
}

/** The plan of what may lose data, also before the operator has accepted that. `accepting`: the same with the loss of these volumes accepted. */
export async function previewLoss(
  context: Context,
  accepting: (volumes: readonly string[]) => Asked,
): Promise<Outcome> {
  const planned = await change(context, accepting([]), true);
  const lost = unconfirmedIn(planned);
  if (lost.length === 0) return planned;
  const shown = await change(context, accepting(lost.map(({ volume }) => volume)), true);
  return shown.kind === "plan" ? { ...shown, unconfirmed: lost.map(({ error }) => error) } : shown;
}
