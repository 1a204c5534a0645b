import { PloyzError } from "./error-codes.ts";

/** Streams and buckets of one store. A bucket is a stream in JetStream KV's layout (ADR-8), readable by its tools. */
export const streams = {
  commits: "PLOYZ_COMMITS",
  journal: "PLOYZ_JOURNAL",
  facts: "KV_ployz_facts",
  leases: "KV_ployz_leases",
  operations: "KV_ployz_operations",
  /** Encrypted secrets, keys and invites: store machines only. */
  secrets: "KV_ployz_secrets",
} as const;

export type Bucket = "facts" | "leases" | "operations" | "secrets";

const token = /^[A-Za-z0-9_-]+$/;
const key = /^[A-Za-z0-9_=:/-]+(\.[A-Za-z0-9_=:/-]+)*$/;
const command = /^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*$/;

function refuse(what: string, name: string, allowed: string): never {
  throw new PloyzError({
    code: "invalid_name",
    message: `${what} ${JSON.stringify(name.slice(0, 80))} is not a valid name in the store`,
    hint: `use ${allowed}`,
  });
}

/** One subject token: a cluster, machine, namespace or operation. Keeps wildcards and separators out of subjects. */
export function asToken(what: string, name: string): string {
  return token.test(name) && name.length <= 128 ? name : refuse(what, name, "letters, digits, _ and -");
}

/** Dot-separated tokens: a fact key or a lease scope. */
export function asKey(what: string, name: string): string {
  return key.test(name) && name.length <= 512
    ? name
    : refuse(what, name, "dot-separated tokens of letters, digits and _ - = : /");
}

export function asCommand(name: string): string {
  return command.test(name) && name.length <= 128
    ? name
    : refuse("command", name, "dot-separated lower-case words");
}

const root = (cluster: string) => `ployz.v1.${asToken("cluster", cluster)}`;

export const commitSubject = (cluster: string, namespace: string) =>
  `${root(cluster)}.commit.${asToken("namespace", namespace)}`;
export const commitSubjects = (cluster: string) => `${root(cluster)}.commit.*`;

export const journalSubject = (cluster: string, operation: string) =>
  `${root(cluster)}.journal.${asToken("operation", operation)}`;
export const journalSubjects = (cluster: string) => `${root(cluster)}.journal.*`;

export const rpcSubject = (cluster: string, machine: string, name: string) =>
  `${root(cluster)}.rpc.${asToken("machine", machine)}.${asCommand(name)}`;
/** All subjects that one machine answers: its commands, and the control messages of running calls. */
export const rpcSubjects = (cluster: string, machine: string) =>
  `${root(cluster)}.rpc.${asToken("machine", machine)}.>`;
export const rpcAnySubject = (cluster: string) => `${root(cluster)}.rpc.>`;
export const controlSubject = (cluster: string, machine: string, call: string) =>
  `${root(cluster)}.rpc.${asToken("machine", machine)}._ctl.${asToken("call", call)}`;

export const bucketSubject = (bucket: Bucket, name: string) => `$KV.ployz_${bucket}.${asKey("key", name)}`;
export const bucketSubjects = (bucket: Bucket) => `$KV.ployz_${bucket}.>`;
export const bucketKey = (bucket: Bucket, subject: string) => subject.slice(`$KV.ployz_${bucket}.`.length);

/** The inbox of a machine's replies; no other member may subscribe to it. */
export const inboxPrefix = (machine: string) => `_INBOX_${asToken("machine", machine)}`;

/** Where a machine's calls are answered: `r` to the request, `c` to its signs of life. Its other inboxes are the store's alone. */
export const replySubjects = (machine: string): readonly string[] =>
  ["r", "c"].map((kind) => `${inboxPrefix(machine)}.*.${kind}`);
const reply = /^_INBOX_[A-Za-z0-9_-]+\.[A-Za-z0-9]+\.[rc]$/;
/** Whether a call may be answered there. Any other subject would have this machine write for its caller, with its own rights. */
export const isReply = (subject: string | undefined): subject is string =>
  subject !== undefined && reply.test(subject);

/** Shortens a subject for messages: `$KV.ployz_operations.>` is `operations`, `ployz.v1.c-1.commit.prod` is `commit.prod`. */
export const shownSubject = (subject: string): string =>
  subject
    .replace(/^\$KV\.ployz_/, "")
    .replace(/^ployz\.v1\.[^.]+\./, "")
    .replace(/\.[*>]$/, "");
