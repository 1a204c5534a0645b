import { errorBody } from "@ployz/errors";
import type { StoreEvent, StoreMoved, StorePlan } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import type { ErrorDocument } from "../../documents.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { needLabel } from "../../names.ts";
import { confirm } from "../../operation/confirm.ts";
import { refused } from "../../operation/follow.ts";

export type StoreOutcome = StorePlan | StoreMoved | ErrorDocument;

export async function move(
  context: Context,
  input: Input,
  action: "promote" | "demote",
): Promise<StoreOutcome> {
  const machines = input.arguments("machine");
  for (const machine of machines) await needLabel("MACHINE", machine);
  const replicas = input.number("replicas");
  if (replicas !== undefined && ![1, 3, 5].includes(replicas))
    throw usage(`--replicas must be 1, 3 or 5, not ${replicas}`);
  const preview = input.flag("preview");
  const body = { action, machines, preview, ...(replicas !== undefined && { replicas }) };
  const client = await context.client();
  return followStore(context, (signal) => client.stream("POST /v1/store/move", { body, signal }), preview);
}

export async function recover(context: Context, input: Input): Promise<StoreOutcome> {
  const machines = input.arguments("machine");
  for (const machine of machines) await needLabel("MACHINE", machine);
  const client = await context.client();
  const run = (preview: boolean) => {
    const body = { preview, ...(machines.length > 0 && { machines }) };
    return followStore(
      context,
      (signal) => client.stream("POST /v1/store/recover", { body, signal }),
      preview,
    );
  };
  if (input.flag("preview")) return run(true);
  if (!input.flag("yes")) {
    const plan = await run(true);
    if (plan.kind !== "store-plan") return plan;
    await agree(context, plan, "Rebuild the store from this?");
  }
  return run(false);
}

export async function agree(context: Context, plan: StorePlan, question: string): Promise<void> {
  const { storePlanText } = await import("../../output/pages/store.ts");
  await confirm(context, `store ${plan.action}`, `${storePlanText(plan)}\n${question}`);
}

/** Follows to the end. The daemon never leaves the store half moved: the first Ctrl-C says so, the second detaches. */
export async function followStore(
  context: Context,
  open: (signal: AbortSignal) => AsyncIterable<StoreEvent>,
  preview: boolean,
): Promise<StoreOutcome> {
  let plan: StorePlan | undefined;
  const detach = new AbortController();
  let [interrupts, began] = [0, false];
  const stopListening = context.terminal.onInterrupt(() => {
    if (preview || interrupts++ > 0) return detach.abort();
    context.progress.note(
      "the store cannot be left half moved: waiting for its end; press Ctrl-C again to detach",
    );
  });
  try {
    for await (const event of open(AbortSignal.any([detach.signal, context.signal]))) {
      switch (event.type) {
        case "step":
          began = true;
          context.progress.event(event);
          break;
        case "waiting":
          context.progress.event(event);
          break;
        case "store-plan":
          plan = event.plan;
          if (!preview) for (const text of plan.warnings) context.progress.note(`warning: ${text}`);
          break;
        case "refused":
          return refused(event.refusals);
        case "store-moved":
          return event.moved;
      }
    }
  } catch (error) {
    if (!detach.signal.aborted && !(began && errorBody(error).code === "daemon_unreachable")) throw error;
  } finally {
    stopListening();
  }
  if (detach.signal.aborted)
    throw new PloyzError(
      preview
        ? { code: "aborted", message: "aborted: nothing was changed" }
        : {
            code: "detached",
            message: "detached from the change of the store; ployzd is still running it, and finishes it",
            hint: "ployzctl store status",
          },
    );
  if (plan !== undefined && preview) return plan;
  throw new PloyzError({
    code: began ? "outcome_unknown" : "daemon_unreachable",
    message: "lost the connection to ployzd before the operation finished",
    hint: "run the same command again: it finishes or restarts the operation",
  });
}
