import { PloyzError } from "@ployz/exec";
import type { Rpc } from "@ployz/nats-store";
import {
  isMember,
  type Json,
  type MachineRecord,
  type Machines,
  type OperationEvent,
  type OperationRequest,
  type OperationResult,
} from "@ployz/primitives";

export interface ForwardWorld {
  readonly rpc: Rpc;
  readonly machines: Machines;
  readonly self: string;
  /** Aborts when this machine's membership ends here. */
  readonly signal: AbortSignal;
  members(): readonly MachineRecord[];
  /** Of the operation that has ordered this machine to leave: resolves when it has. */
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
 * Has a peer run the operation and tells what happens there. When this machine has left by its order, and with that lost sight of it, the
 * result is told from here: the order comes only after the commit.
 */
export async function* forward(
  request: OperationRequest,
  world: ForwardWorld,
): AsyncGenerator<OperationEvent, void> {
  const peer = await findPeer(world);
  const { primitive, input, mode, by } = request;
  const args: Json = { primitive, input, mode, by };
  const started = Date.now();
  let seen: { operation?: string; revision?: number; output: Json } = { output: null };
  try {
    for await (const item of world.rpc.callStream(peer, "operation.run", args, { signal: world.signal })) {
      const event = item as unknown as OperationEvent;
      if (event.type === "accepted") seen = { ...seen, operation: event.operation };
      if (event.type === "committed") seen = { ...seen, revision: event.revision };
      if (event.type === "plan") seen = { ...seen, output: event.plan.summary };
      yield event;
      if (event.type === "result" || event.type === "refused") return;
    }
  } catch (error) {
    const left = seen.operation === undefined ? undefined : world.left(seen.operation);
    if (left === undefined) throw error;
  }
  const { operation = "", revision, output } = seen;
  await world.left(operation);
  const result: OperationResult = {
    ...{ kind: "operation", operation, primitive, state: "done", changed: true, output, owed: [] },
    ...(revision !== undefined && { revision }),
    warnings: [
      `this machine has left; ${peer} does the rest, and tells it there: ployzctl ops show ${operation}`,
    ],
    ms: Date.now() - started,
  };
  yield { type: "result", result };
}

/** The first that answers, one that holds the store if it can be. */
async function findPeer({ members, machines, self }: ForwardWorld): Promise<string> {
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
        : "no other machine answers that could remove this one",
    hint: peers.length === 0 ? "ployzctl mesh destroy ends the cluster" : "ployzctl machine ls",
  });
}
