import { PloyzError as WireError } from "@ployz/errors";
import type { Json, OperationEvent, OperationRequest } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";

type Run = (request: OperationRequest) => AsyncIterable<OperationEvent>;

/** Runs an operation to its end. @throws PloyzError of a refusal or a failure. */
export async function runToEnd(
  run: Run,
  { primitive, input, by }: { readonly primitive: string; readonly input: Json; readonly by: string },
): Promise<void> {
  for await (const event of run({ primitive, input, by, mode: "apply" })) {
    if (event.type === "refused") throw new WireError(event.refusals[0] ?? NOTHING);
    if (event.type !== "result") continue;
    const { state, error } = event.result;
    if (state === "done" || state === "cleanup-owed") return;
    throw new WireError(error ?? NOTHING);
  }
  throw new PloyzError(NOTHING);
}

/** The issue of a host that a deploy needs: an operation of its own, with its own lease, that keeps running when the deploy ends. */
export const issueBy =
  (run: Run, self: string) =>
  async (host: string, signal: AbortSignal, progress: (note: string) => void): Promise<void> => {
    progress(`certificate for ${host}`);
    signal.throwIfAborted();
    await runToEnd(run, { primitive: "cert-issue", input: { names: [host] }, by: `deploy@${self}` });
  };

const NOTHING = { code: "interrupted", message: "the operation ended without a result" } as const;
