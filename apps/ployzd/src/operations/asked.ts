import type { OperationEvent, OperationRequest } from "@ployz/primitives";
import { handingOver } from "../store/hand-over.ts";
import type { StoreAuthority } from "../store/open.ts";
import { type ForwardWorld, forward, isForPeer } from "./forward.ts";
import type { Runner } from "./runner.ts";

/** What an operator asks of this daemon: run here or, when it has to outlive this membership, by a peer; the store out of the way first. */
export const operationsAsked =
  (world: ForwardWorld & { readonly runner: Runner; readonly authority: StoreAuthority }) =>
  (request: OperationRequest): AsyncIterable<OperationEvent> =>
    handingOver(request, {
      members: world.members,
      answering: world.authority.answering,
      move: world.authority.move,
      run: (one) => (isForPeer(one, world.self) ? forward(one, world) : world.runner.run(one)),
    });
