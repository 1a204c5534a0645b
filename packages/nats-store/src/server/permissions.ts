import {
  bucketSubjects,
  commitSubjects,
  inboxPrefix,
  journalSubjects,
  replySubjects,
  rpcAnySubject,
  rpcSubjects,
  streams,
} from "../names.ts";

/** A member's role in the store. `store`: has store authority: creates the streams and reads the bucket `secrets`. */
export type Role = "machine" | "store";

/** The access to a generation. `founding`: restore only; `fenced`: read, follow and copy. */
export type Access = "founding" | "serving" | "fenced";

/** A member as a user of the store's servers. */
export interface StoreUser {
  readonly machine: string;
  readonly publicKey: string;
  readonly role: Role;
}

/** Subjects that a user may publish to, and subscribe to. */
export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

const open = [streams.commits, streams.journal, streams.facts, streams.leases, streams.operations];

/** Read-only access to one stream. */
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
 * The permissions of one member. It serves only its own commands and its own inbox. No member may delete or purge a stream or a message.
 * It answers `members`, by name, where they wait for answers to calls. The server's `allow_responses` would permit more: whoever sends
 * itself a request may then answer to any subject, for example `$JS.API.STREAM.DELETE`. Only a serving generation accepts writes; a
 * founding one accepts the restore, and facts from its own machines.
 */
export function permissionsFor(
  cluster: string,
  user: Pick<StoreUser, "machine" | "role">,
  {
    access = "serving",
    members = [],
  }: { readonly access?: Access; readonly members?: readonly string[] } = {},
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
    ...members.flatMap(replySubjects),
    ...(access === "serving" ? writing : []),
    ...(store ? all : open).flatMap(reading),
    ...(store ? all.flatMap(copying) : []),
    // The list of the new store's machines is written into it before it opens.
    ...(store && access === "founding" ? [...all.flatMap(restoring), bucketSubjects("facts")] : []),
  ];
  return { publish, subscribe: [rpcSubjects(cluster, user.machine), `${inboxPrefix(user.machine)}.>`] };
}
