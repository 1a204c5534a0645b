import type { OperationEvent, OperationRequest } from "@ployz/primitives";
import { type ForwardDeps, forward, isForPeer } from "../operations/forward.ts";
import type { Runner } from "../operations/runner.ts";
import { handingOver } from "../store/hand-over.ts";
import type { StoreAuthority } from "../store/open.ts";

/** What an operator asks of this daemon: run here or, when it has to outlive this membership, by a peer; the store out of the way first. */
export const operationsAsked =
  (deps: ForwardDeps & { readonly runner: Runner; readonly authority: StoreAuthority }) =>
  (request: OperationRequest): AsyncIterable<OperationEvent> =>
    handingOver(request, {
      members: deps.members,
      answering: deps.authority.answering,
      move: deps.authority.move,
      run: (one) => (isForPeer(one, deps.self) ? forward(one, deps) : deps.runner.run(one)),
    });
