import { randomUUID } from "node:crypto";
import { withinDeadline } from "../deadline.ts";
import { encode, isObject, type Json } from "../json.ts";
import { bucketKey, bucketSubject, bucketSubjects, streams } from "../names.ts";
import type { Session } from "../session.ts";
import { followStream } from "./follow.ts";
import { casWrite, isMarker, jsonOf, lastOfEach, lastOn, type Stored, subjectsOf } from "./subject.ts";
import type { AcquireResult, Lease, LeaseHolder } from "./types.ts";

export type Leases = ReturnType<typeof openLeases>;

/** Lifetime of a release's marker on the server. */
const markerSeconds = 3600;

/** The content of a lease's message. `fence` is absent in the acquiring message: its own revision is the fence. */
interface Body {
  readonly holder: LeaseHolder;
  readonly ttlSeconds: number;
  readonly fence?: number;
  /** Identifies the writing process and the write: settles lost replies, and distinguishes a restarted daemon. */
  readonly writer: string;
  readonly write: number;
}

/**
 * Leases with fences: one key per scope whose message the server removes after the TTL (Nats-TTL, ADR-43). Every take-over,
 * renewal and release is a compare-and-set, so only the server's clock decides.
 */
export function openLeases(session: Session) {
  const stream = streams.leases;
  const writer = randomUUID();
  let writes = 0;
  const subjectOf = (scope: string) => bucketSubject("leases", scope);

  const write = (scope: string, lease: Pick<Body, "holder" | "ttlSeconds" | "fence">, expected: number) => {
    writes += 1;
    const body: Body = { ...lease, writer, write: writes };
    return casWrite(session, {
      stream,
      subject: subjectOf(scope),
      data: encode(body),
      expected,
      ttlSeconds: body.ttlSeconds,
      isMine: (stored) => {
        if (isMarker(stored)) return false;
        const found = bodyOf(stored);
        return found.writer === writer && found.write === body.write;
      },
      settleBy: "last",
    });
  };

  /** The sequence of the last write to any lease: no fence is higher. */
  const lastRevision = () =>
    withinDeadline(session, "reading the last lease", async ({ jsm }) => {
      return (await jsm.streams.info(stream)).state.last_seq;
    });

  /**
   * Whether the stored lease is this one: at its revision, or at a later one that this process wrote, because a renewal that timed out may
   * have reached the store.
   */
  const stands = (current: Stored | undefined, lease: Lease): current is Stored => {
    const found = current && toLease(current);
    if (!current || !found || found.fence !== lease.fence || !sameHolder(found.holder, lease.holder))
      return false;
    return found.revision === lease.revision || bodyOf(current).writer === writer;
  };

  const renewFrom = async (standing: Stored | undefined, lease: Lease, ttlSeconds?: number) => {
    let current = standing;
    while (stands(current, lease)) {
      const body = {
        holder: lease.holder,
        fence: lease.fence,
        ttlSeconds: ttlSeconds ?? bodyOf(current).ttlSeconds,
      };
      const result = await write(lease.scope, body, current.revision);
      if (result.written) return { ...lease, revision: result.revision };
      current = result.last;
    }
    return undefined;
  };

  const get = async (scope: string): Promise<Lease | undefined> => {
    const stored = await lastOn(session, stream, subjectOf(scope));
    return stored && toLease(stored);
  };

  return {
    /** The present lease of a scope. */
    get,
    lastRevision,

    /** Wins a free or expired scope. `ttlMs` is rounded up to whole seconds. */
    async acquire(scope: string, holder: LeaseHolder, ttlMs: number): Promise<AcquireResult> {
      const ttlSeconds = Math.max(1, Math.ceil(ttlMs / 1000));
      for (;;) {
        const last = await lastOn(session, stream, subjectOf(scope));
        const held = last && toLease(last);
        if (held && !sameHolder(held.holder, holder)) return { acquired: false, held };
        if (held) {
          const renewed = await renewFrom(last, held, ttlSeconds);
          if (renewed) return { acquired: true, lease: renewed };
          continue;
        }
        const result = await write(scope, { holder: copy(holder), ttlSeconds }, last?.revision ?? 0);
        if (result.written) {
          return {
            acquired: true,
            lease: { scope, holder: copy(holder), fence: result.revision, revision: result.revision },
          };
        }
      }
    },

    /** Extends by the lease's own TTL; `undefined` when it was lost. */
    async renew(lease: Lease): Promise<Lease | undefined> {
      return renewFrom(await lastOn(session, stream, subjectOf(lease.scope)), lease);
    },

    /** Frees the scope if this very lease holds it. */
    async release(lease: Lease): Promise<void> {
      const subject = subjectOf(lease.scope);
      let current = await lastOn(session, stream, subject);
      while (stands(current, lease)) {
        const result = await casWrite(session, {
          stream,
          subject,
          data: new Uint8Array(),
          headers: { "KV-Operation": "DEL" },
          ttlSeconds: markerSeconds,
          expected: current.revision,
          isMine: isMarker,
          settleBy: "last",
        });
        if (result.written) return;
        current = result.last;
      }
    },

    /** Every present lease. */
    async list(): Promise<readonly Lease[]> {
      const subjects = await subjectsOf(session, stream, bucketSubjects("leases"));
      const found = await lastOfEach(session, stream, subjects);
      return found.flatMap((stored) => toLease(stored) ?? []);
    },

    /** Resolves when the scope is free, or when `signal` aborts. */
    async whenFree(scope: string, signal: AbortSignal): Promise<void> {
      const done = new AbortController();
      const either = AbortSignal.any([signal, done.signal]);
      // A marker that expired while this machine was disconnected is never delivered: read again after each reconnect.
      const off = session.onEvent((event) => {
        if (event === "connected")
          get(scope).then(
            (held) => held || done.abort(),
            () => undefined,
          );
      });
      try {
        const filters = [subjectOf(scope)];
        let held = false;
        for await (const event of followStream(session, {
          stream,
          filters,
          from: "last-per-subject",
          signal: either,
        })) {
          if (event.type === "message") held = !isMarker(event.stored);
          if (!held) return;
        }
      } finally {
        off();
      }
    },
  };
}

const copy = (holder: LeaseHolder): LeaseHolder => ({ operation: holder.operation, machine: holder.machine });

const sameHolder = (a: LeaseHolder, b: LeaseHolder) => a.operation === b.operation && a.machine === b.machine;

function bodyOf(stored: Stored): Body {
  const value: Json = jsonOf(stored);
  if (!isObject(value)) throw new Error(`the lease at ${stored.subject} is not an object`);
  return value as unknown as Body; // only leases are written under their subjects
}

function toLease(stored: Stored): Lease | undefined {
  if (isMarker(stored)) return undefined;
  const body = bodyOf(stored);
  return {
    scope: bucketKey("leases", stored.subject),
    holder: body.holder,
    fence: body.fence ?? stored.revision,
    revision: stored.revision,
  };
}
