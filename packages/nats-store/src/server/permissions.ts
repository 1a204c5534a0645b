import {
  bucketSubjects,
  commitSubjects,
  inboxPrefix,
  journalSubjects,
  rpcAnySubject,
  rpcSubjects,
  streams,
} from "../names.ts";

/** A member's part in the store. `store`: holds store authority: creates the streams and reads the sensitive bucket. */
export type Role = "machine" | "store";

export interface StoreUser {
  readonly machine: string;
  readonly publicKey: string;
  readonly role: Role;
}

export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

const open = [streams.commits, streams.journal, streams.facts, streams.leases, streams.operations];

/** Reading and following one stream: nothing here changes it. */
const reading = (stream: string) => [
  `$JS.API.STREAM.INFO.${stream}`,
  `$JS.API.STREAM.MSG.GET.${stream}`,
  `$JS.API.CONSUMER.CREATE.${stream}`,
  `$JS.API.CONSUMER.CREATE.${stream}.>`,
  `$JS.FC.${stream}.>`,
];

const shaping = (stream: string) => [`$JS.API.STREAM.CREATE.${stream}`, `$JS.API.STREAM.UPDATE.${stream}`];

/**
 * All that one member may do. It answers only for itself: its own commands, its own inbox. Nobody may delete or purge a
 * stream or a message. Replies go out through `allow_responses`, so no member can write to an inbox that did not ask it.
 */
export function permissionsFor(cluster: string, user: Pick<StoreUser, "machine" | "role">): Permissions {
  const sensitive = user.role === "store" ? [streams.secrets] : [];
  const publish = [
    rpcAnySubject(cluster),
    commitSubjects(cluster),
    journalSubjects(cluster),
    bucketSubjects("facts"),
    bucketSubjects("leases"),
    bucketSubjects("operations"),
    ...[...open, ...sensitive].flatMap(reading),
    ...(user.role === "store"
      ? [bucketSubjects("secrets"), ...[...open, streams.secrets].flatMap(shaping)]
      : []),
  ];
  return { publish, subscribe: [rpcSubjects(cluster, user.machine), `${inboxPrefix(user.machine)}.>`] };
}
