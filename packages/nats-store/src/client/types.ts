import type { Json } from "../json.ts";

/** One stored value and the revision (stream sequence) at which it was written. */
export interface Entry<T> {
  readonly key: string;
  readonly value: T;
  readonly revision: number;
}

/** The fields of a commit that the store reads; it stores other fields unchanged. */
export interface CommitEnvelope {
  readonly namespace: string;
  readonly operation: string;
  readonly [field: string]: Json;
}

/** A change; `synced` once all that stood at the start was seen. */
export type FollowEvent<T> =
  | { readonly type: "put"; readonly entry: Entry<T> }
  | { readonly type: "delete"; readonly key: string; readonly revision: number }
  | { readonly type: "synced"; readonly revision: number };

/** The revision, or the commit that stands there instead. */
export type AppendResult =
  | { readonly committed: true; readonly revision: number }
  | { readonly committed: false; readonly last: Entry<Json> | undefined };

/** The revision, or the value that stands there instead. */
export type WriteResult =
  | { readonly ok: true; readonly revision: number }
  | { readonly ok: false; readonly current: Entry<Json> | undefined };

/** The operation, and the machine whose daemon runs it. */
export interface LeaseHolder {
  readonly operation: string;
  readonly machine: string;
}

/** `fence`: the revision at which the lease was acquired; `revision`: its current revision. */
export interface Lease {
  readonly scope: string;
  readonly holder: LeaseHolder;
  readonly fence: number;
  readonly revision: number;
}

/** The lease, or who holds it. */
export type AcquireResult =
  | { readonly acquired: true; readonly lease: Lease }
  | { readonly acquired: false; readonly held: Lease };
