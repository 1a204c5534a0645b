import type { StoreEvent, StoreMove } from "@ployz/primitives/client";
import type { MachineRecord, OperationEvent, OperationRequest } from "@ployz/primitives/protocol";
import { isMember } from "@ployz/primitives/protocol";
import { sorted } from "./wanted.ts";

export interface HandOverDeps {
  members(): readonly MachineRecord[];
  /** Members that answer. */
  answering(): Promise<readonly string[]>;
  move(request: StoreMove): AsyncIterable<StoreEvent>;
  run(request: OperationRequest): AsyncIterable<OperationEvent>;
}

/** Runs an operation; before removing a store machine, moves the store off it, once the rest of the plan is valid. */
export async function* handingOver(
  asked: OperationRequest,
  deps: HandOverDeps,
): AsyncGenerator<OperationEvent, void> {
  const request = withoutMove(asked);
  const moves = await movesOf(request, deps);
  if (moves === undefined) {
    yield* deps.run(request);
    return;
  }
  const input = { ...(request.input as object), storeMoves: moves };
  if (request.mode !== "apply") {
    yield* deps.run({ ...request, input });
    return;
  }
  for await (const event of deps.run({ ...request, input, mode: "preview" })) {
    if (event.type !== "refused") continue;
    yield event;
    return;
  }
  const move: StoreMove = { action: "promote", machines: moves.to, replicas: moves.to.length };
  for await (const event of deps.move(move)) {
    if (event.type === "step" || event.type === "waiting") yield event;
    if (event.type !== "refused") continue;
    yield event;
    return;
  }
  yield* deps.run(request);
}

export type StoreMoves = { readonly from: readonly string[]; readonly to: readonly string[] };

/** Only set by a daemon, in a preview. */
function withoutMove(request: OperationRequest): OperationRequest {
  if (request.primitive !== "machine-rm" || typeof request.input !== "object" || request.input === null)
    return request;
  const { storeMoves: _, ...input } = request.input as { readonly storeMoves?: unknown };
  return { ...request, input };
}

async function movesOf(
  { primitive, input }: OperationRequest,
  deps: HandOverDeps,
): Promise<StoreMoves | undefined> {
  if (primitive !== "machine-rm") return undefined;
  const leaving = (input as { readonly machine?: unknown } | null)?.machine;
  const members = deps.members().filter(isMember);
  const present = sorted(members.filter(({ store }) => store).map(({ id }) => id));
  if (typeof leaving !== "string" || !present.includes(leaving)) return undefined;
  const answering = await deps.answering();
  const able = members.filter(({ id, state }) => state === "active" && answering.includes(id));
  const to = successors(
    present,
    leaving,
    able.map(({ id }) => id),
  );
  return to && { from: present, to };
}

/**
 * The store machines after one is removed: an eligible machine replaces it; without one, the store is on fewer machines. `undefined`: none
 * left. Pure.
 */
export function successors(
  present: readonly string[],
  leaving: string,
  able: readonly string[],
): readonly string[] | undefined {
  const left = present.filter((id) => id !== leaving);
  const [taker] = sorted(able.filter((id) => !present.includes(id)));
  if (taker !== undefined) return sorted([...left, taker]);
  const staying = sorted(left.filter((id) => able.includes(id)));
  const fewer = staying.length - ((staying.length + 1) % 2);
  return fewer > 0 ? staying.slice(0, fewer) : undefined;
}
