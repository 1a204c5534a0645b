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

export type FollowEvent<T> =
  | { readonly type: "put"; readonly entry: Entry<T> }
  | { readonly type: "delete"; readonly key: string; readonly revision: number }
  | { readonly type: "synced"; readonly revision: number };

export type AppendResult =
  | { readonly committed: true; readonly revision: number }
  | { readonly committed: false; readonly last: Entry<Json> | undefined };

export type WriteResult =
  | { readonly ok: true; readonly revision: number }
  | { readonly ok: false; readonly current: Entry<Json> | undefined };

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

export type AcquireResult =
  | { readonly acquired: true; readonly lease: Lease }
  | { readonly acquired: false; readonly held: Lease };
