import { releaseLease } from "./leases.ts";
import type { Session } from "./session.ts";
import type { CommitPoint } from "./types.ts";

/** The lease that guarded commits are written under. A holder that dies is waited for until its lease expires. */
export const TURN_SCOPE = "routes";

/** Resolves when it is this commit's turn, with how to end the turn. At once for a commit without a guard. */
export async function takeTurn(session: Session, point: CommitPoint): Promise<() => Promise<void>> {
  if (point.kind !== "namespace" || point.guard === undefined) return async () => {};
  const { leases } = session.ports.store;
  const holder = { operation: session.journal.operation, machine: session.deps.self.machine };
  for (;;) {
    const result = await leases.acquire(TURN_SCOPE, holder, session.limits.leaseTtlMs);
    if (result.acquired) return () => releaseLease(leases, session.clock, result.lease);
    await leases.whenFree(TURN_SCOPE, session.keeper.lost);
    if (session.keeper.lost.aborted) return async () => {};
  }
}

/** Ends the turn of the runner that this session took the operation over from: it committed and died before it could. */
export async function endLostTurn({ ports, journal, clock }: Session): Promise<void> {
  const { leases } = ports.store;
  const lease = await leases.get(TURN_SCOPE);
  if (lease?.holder.operation === journal.operation) await releaseLease(leases, clock, lease);
}
