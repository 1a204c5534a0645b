import Type, { type Static } from "typebox";
import { instanceFields } from "./commit.ts";
import { list, object, text } from "./schema.ts";

/** An instance that runs, or is about to, and is not committed. */
export const CandidateInstance = object({
  ...instanceFields,
  /** Its readiness check has succeeded: the operation's other candidates find it by name. Never true for a job. */
  ready: Type.Boolean(),
});
/** Static type of the schema of this name. */
export type CandidateInstance = Static<typeof CandidateInstance>;

/**
 * The instances that an operation has started or is about to start, and that no commit holds yet, under the fact `candidates.<namespace>`. Packet
 * filters and DNS follow it, so that a candidate belongs to its namespace from its first packet. Its operation removes it; one of a dead operation is
 * replaced by the next operation on the namespace.
 */
export const Candidates = object({
  operation: text(),
  instances: list(CandidateInstance),
  /** Ids of committed instances that the operation replaces or removes. */
  leaving: list(text()),
});
export type Candidates = Static<typeof Candidates>;

/** Key of the fact about a job that runs by itself, beside any deploy: its value has one instance. */
export const runningKey = (namespace: string, job: string): `running.${string}` =>
  `running.${namespace}.${job}`;

export const candidatesKey = (namespace: string): `candidates.${string}` => `candidates.${namespace}`;
