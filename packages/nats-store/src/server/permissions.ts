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

/** What a generation is open for. `founding`: to be restored into; `fenced`: to be read, followed and copied. */
export type Access = "founding" | "serving" | "fenced";

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

/** Copying a stream out, chunk by chunk. */
const copying = (stream: string) => [`$JS.API.STREAM.SNAPSHOT.${stream}`, `$JS.SNAPSHOT.ACK.${stream}.*`];

const restoring = (stream: string) => [
  `$JS.API.STREAM.RESTORE.${stream}`,
  `$JS.SNAPSHOT.RESTORE.${stream}.*`,
];

/**
 * All that one member may do. It answers only for itself: its own commands, its own inbox. Nobody may delete or purge a
 * stream or a message. Replies go out through `allow_responses`, so no member can write to an inbox that did not ask it.
 * Only a serving generation takes writes; one that is founded takes the restore, and facts from its own machines.
 */
export function permissionsFor(
  cluster: string,
  user: Pick<StoreUser, "machine" | "role">,
  access: Access = "serving",
): Permissions {
  const store = user.role === "store";
  const all = [...open, streams.secrets];
  const writing = [
    commitSubjects(cluster),
    journalSubjects(cluster),
    bucketSubjects("facts"),
    bucketSubjects("leases"),
    bucketSubjects("operations"),
    ...(store ? [bucketSubjects("secrets"), ...all.flatMap(shaping)] : []),
  ];
  const publish = [
    rpcAnySubject(cluster),
    ...(access === "serving" ? writing : []),
    ...(store ? all : open).flatMap(reading),
    ...(store ? all.flatMap(copying) : []),
    // Which machines hold the new store is written into it before it opens.
    ...(store && access === "founding" ? [...all.flatMap(restoring), bucketSubjects("facts")] : []),
  ];
  return { publish, subscribe: [rpcSubjects(cluster, user.machine), `${inboxPrefix(user.machine)}.>`] };
}
