import { errorBody } from "@ployz/errors";
import type { Rpc } from "@ployz/nats-store";
import {
  isMember,
  type Json,
  type MachineRecord,
  type Machines,
  type OperationEvent,
  type OperationRequest,
  type OperationResult,
} from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";

export interface ForwardDeps {
  readonly rpc: Rpc;
  readonly machines: Machines;
  readonly self: string;
  /** Aborts when this machine's membership ends here. */
  readonly signal: AbortSignal;
  members(): readonly MachineRecord[];
  /** The events of an operation on another machine, from its record, up to its result. */
  follow(operation: string, signal: AbortSignal): AsyncIterable<OperationEvent>;
  /** For the operation that ordered this machine to leave: resolves when it has left. */
  left(operation: string): Promise<void> | undefined;
}

/** A machine does not remove itself: its daemon would have to outlive its membership. */
export function isForPeer({ primitive, input, mode }: OperationRequest, self: string): boolean {
  return (
    mode === "apply" &&
    primitive === "machine-rm" &&
    (input as { readonly machine?: unknown } | null)?.machine === self
  );
}

/**
 * Runs the operation on a peer and forwards its events. After this machine has left on its order, and thereby lost the connection, reports
 * the result from here: the order comes only after the commit.
 */
export async function* forward(
  request: OperationRequest,
  deps: ForwardDeps,
): AsyncGenerator<OperationEvent, void> {
  const peer = await findPeer(deps);
  const { primitive, input, mode, by } = request;
  const args: Json = { primitive, input, mode, by };
  const started = Date.now();
  let seen: { operation?: string; revision?: number; output: Json } = { output: null };
  const sources = [
    () =>
      deps.rpc.callStream(peer, "operation.run", args, {
        signal: deps.signal,
      }) as AsyncIterable<unknown> as AsyncIterable<OperationEvent>,
    // A broken connection lost part of the peer's events; the record has them.
    () => deps.follow(seen.operation ?? "", deps.signal),
  ];
  for (const [attempt, source] of sources.entries()) {
    try {
      for await (const event of source()) {
        if (event.type === "accepted") seen = { ...seen, operation: event.operation };
        if (event.type === "committed") seen = { ...seen, revision: event.revision };
        if (event.type === "plan") seen = { ...seen, output: event.plan.summary };
        yield event;
        if (event.type === "result" || event.type === "refused") return;
      }
      break;
    } catch (error) {
      if (seen.operation !== undefined && deps.left(seen.operation) !== undefined) break;
      if (attempt > 0 || seen.operation === undefined || errorBody(error).code !== "stream_interrupted")
        throw error;
    }
  }
  const { operation = "", revision, output } = seen;
  const left = deps.left(operation);
  if (left === undefined)
    throw new PloyzError({
      code: "machine_unreachable",
      message: `lost the connection to ${peer}, which runs operation ${operation}`,
      hint: `see its result: ployzctl ops show ${operation}`,
    });
  await left;
  const result: OperationResult = {
    ...{ kind: "operation", operation, primitive, state: "done", changed: true, output, owed: [] },
    ...(revision !== undefined && { revision }),
    warnings: [`this machine has left; ${peer} does the rest. There: ployzctl ops show ${operation}`],
    ms: Date.now() - started,
  };
  yield { type: "result", result };
}

/** The first peer that answers, preferably a store machine. */
async function findPeer({ members, machines, self }: ForwardDeps): Promise<string> {
  const peers = members()
    .filter((member) => isMember(member) && member.id !== self)
    .sort((left, right) => Number(right.store) - Number(left.store));
  for (const { id } of peers) {
    const options = { timeoutMs: 2_000, signal: new AbortController().signal };
    const answers = await machines.call(id, "operation.running", { operation: "none" }, options).then(
      () => true,
      () => false,
    );
    if (answers) return id;
  }
  throw new PloyzError({
    code: peers.length === 0 ? "last_machine" : "machine_unreachable",
    message:
      peers.length === 0
        ? `${self} is the last machine of the cluster`
        : "no other machine answers, and one must remove this machine",
    hint: peers.length === 0 ? "destroy the cluster: ployzctl mesh destroy" : "ployzctl machine ls",
  });
}
