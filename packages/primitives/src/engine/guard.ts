import type { Session } from "./session.ts";
import type { CommitPoint } from "./types.ts";

/** The lease that guarded commits are written under. A holder that dies is waited for until its lease expires. */
const SCOPE = "routes";

/** Resolves when it is this commit's turn, with how to end the turn. At once for a commit without a guard. */
export async function takeTurn(session: Session, point: CommitPoint): Promise<() => Promise<void>> {
  if (point.kind !== "namespace" || point.guard === undefined) return async () => {};
  const { leases } = session.ports.store;
  const holder = { operation: session.journal.operation, machine: session.deps.self.machine };
  for (;;) {
    const result = await leases.acquire(SCOPE, holder, session.limits.leaseTtlMs);
    // One that cannot be released expires.
    if (result.acquired) return () => leases.release(result.lease).catch(() => {});
    await leases.whenFree(SCOPE, session.keeper.lost);
    if (session.keeper.lost.aborted) return async () => {};
  }
}
