import type { OperationEvent, OperationRequest } from "@ployz/primitives/protocol";
import { type ForwardDeps, forward, isForPeer } from "../operations/forward.ts";
import type { Runner } from "../operations/runner.ts";
import { handingOver } from "../store/hand-over.ts";
import type { StoreAuthority } from "../store/open.ts";

/** Runs an operator's operation here, or on a peer if it must outlive this membership; moves the store first if needed. */
export const operationsAsked =
  (deps: ForwardDeps & { readonly runner: Runner; readonly authority: StoreAuthority }) =>
  (request: OperationRequest): AsyncIterable<OperationEvent> =>
    handingOver(request, {
      members: deps.members,
      answering: deps.authority.answering,
      move: deps.authority.move,
      run: (one) => (isForPeer(one, deps.self) ? forward(one, deps) : deps.runner.run(one)),
    });
