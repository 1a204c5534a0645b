import { openSession, type Session, type SessionOptions } from "../session.ts";
import { type Commits, openCommits } from "./commits.ts";
import { type Facts, openFacts } from "./facts.ts";
import { type Journals, openJournals } from "./journals.ts";
import { type Leases, openLeases } from "./leases.ts";

/** The store over one session. Every call is bounded by the session's deadline and fails with `store_unavailable` there. */
export interface NatsStore {
  readonly commits: Commits;
  readonly facts: Facts;
  readonly leases: Leases;
  readonly journals: Journals;
  /** The connection, shared with RPC. */
  readonly session: Session;
  /** Closes the session. Running calls fail. */
  close(): Promise<void>;
}

/** Opens the store over a new or an existing session. Never waits and never fails: calls do. */
export function openStore(options: SessionOptions | Session): NatsStore {
  const session = "link" in options ? options : openSession(options);
  return {
    commits: openCommits(session),
    facts: openFacts(session),
    leases: openLeases(session),
    journals: openJournals(session),
    session,
    close: () => session.close(),
  };
}
