import type { Instance } from "./commit.ts";

/**
 * The instances that an operation has started or is about to start, and that no commit holds yet, under the fact `candidates.<namespace>`. Packet
 * filters and DNS follow it, so that a candidate belongs to its namespace from its first packet. Its operation removes it; one of a dead operation is
 * replaced by the next operation on the namespace.
 */
export type Candidates = {
  readonly operation: string;
  readonly instances: readonly CandidateInstance[];
  /** Ids of committed instances that the operation replaces or removes. */
  readonly leaving: readonly string[];
};

export type CandidateInstance = Pick<
  Instance,
  "id" | "service" | "slot" | "machine" | "address" | "ports"
> & {
  /** Its readiness check has succeeded: the operation's other candidates find it by name. Never true for a job. */
  readonly ready: boolean;
};

export const candidatesKey = (namespace: string): `candidates.${string}` => `candidates.${namespace}`;
