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
  return followStore(
    context,
    client.stream("POST /v1/store/move", { body, signal: context.signal }),
    preview,
  );
}

export async function recover(context: Context, input: Input): Promise<StoreOutcome> {
  const machines = input.arguments("machine");
  for (const machine of machines) await needLabel("MACHINE", machine);
  const client = await context.client();
  const run = (preview: boolean) => {
    const body = { preview, ...(machines.length > 0 && { machines }) };
    const { signal } = context;
    return followStore(context, client.stream("POST /v1/store/recover", { body, signal }), preview);
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

/** Follows to the end. After Ctrl-C the daemon finishes alone: the store is never left half moved. */
export async function followStore(
  context: Context,
  events: AsyncIterable<StoreEvent>,
  preview: boolean,
): Promise<StoreOutcome> {
  let plan: StorePlan | undefined;
  const stopListening = context.terminal.onInterrupt(() => {
    context.progress.note("detached; the daemon finishes it: ployzctl store status");
    context.terminal.exit(130);
  });
  try {
    for await (const event of events) {
      switch (event.type) {
        case "step":
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
  } finally {
    stopListening();
  }
  if (plan !== undefined && preview) return plan;
  throw new PloyzError({
    code: "daemon_unreachable",
    message: "lost the connection to ployzd before the operation finished",
    hint: "run the same command again: it finishes or restarts the operation",
  });
}
