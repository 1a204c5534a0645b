import { errorBody } from "@ployz/errors";
import type { PrimitivePorts, StepContext } from "../../engine/types.ts";
import { PloyzError } from "../../error-codes.ts";
import { ask } from "../../ports/machines.ts";
import type { ChangeKinds } from "./kinds.ts";

/** Milliseconds for which a machine's followers are waited for. */
export const PUBLISH = 10_000;

/** Waits until a machine's gateway and DNS follow the last commit of a namespace, which is later than `after`. */
export async function publishHead(
  { machine, namespace, after }: ChangeKinds["publish"]["args"],
  context: StepContext<PrimitivePorts>,
): Promise<ChangeKinds["publish"]["out"]> {
  const head = await context.ports.store.commits.last(namespace);
  if (head === undefined || head.revision <= after)
    throw new PloyzError({
      code: "store_unavailable",
      message: `the commit of ${namespace} cannot be read back yet`,
    });
  return publish(machine, { namespace, revision: head.revision }, context);
}

/**
 * Waits until a machine's gateway and DNS follow. One that cannot be reached is not a failure: it serves the last state it knows, and
 * follows by itself when it is back.
 */
export async function publish(
  machine: string,
  wanted: { readonly namespace: string; readonly revision: number },
  { call, signal }: Pick<StepContext<PrimitivePorts>, "call" | "signal">,
): Promise<ChangeKinds["publish"]["out"]> {
  try {
    const { warning, ...confirmed } = await ask(() =>
      call(machine, "publish.await", wanted, { timeoutMs: PUBLISH, signal }),
    );
    return { ...confirmed, ...(warning !== undefined && { warning: `${machine}: ${warning}` }) };
  } catch (error) {
    const { code, message } = errorBody(error);
    if (signal.aborted || (code !== "machine_unreachable" && code !== "deadline_exceeded")) throw error;
    return {
      gateway: "unknown",
      dns: "unknown",
      warning: `machine ${machine} has not confirmed the new routes: ${message}`,
    };
  }
}
