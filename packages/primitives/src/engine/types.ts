import type { ErrorBody } from "@ployz/errors";
import type { Json } from "../model/json.ts";
import type { Machines } from "../ports/machines.ts";
import type { CommitEnvelope, Store } from "../ports/store.ts";

/**
 * A store key and its revision when the plan was made; 0: it must not exist. Keys: `commit.<ns>` and `fact.<key>`. Never a key that a
 * step of the same plan writes: an interrupted plan is resumed only while its basis still holds.
 */
export interface Basis {
  readonly key: string;
  readonly revision: number;
}

export type { Refusal } from "../error-codes.ts";

/** Instead of a plan: every reason not to start, at least one. */
export interface Refusals {
  readonly refusals: readonly ErrorBody[];
}

/** The step kinds of one primitive: arguments and output of each. */
export type Kinds = Readonly<Record<string, { readonly args: Json; readonly out: Json }>>;

/** A planned step is plain data: printed by preview, journaled, replayed. */
export type PlannedStep<K extends Kinds = Kinds> = {
  [N in keyof K & string]: {
    /** Deterministic, unique in the plan: `start web.1@m2`. */
    readonly id: string;
    readonly kind: N;
    readonly args: K[N]["args"];
    /** The machine it acts on; absent for the store and the coordinator. */
    readonly machine?: string;
    /** For people: `start web.1 on m2`. */
    readonly title: string;
    /** Ids of steps that must be done first. Steps that do not depend on each other run in parallel. */
    readonly needs: readonly string[];
  };
}[keyof K & string];

/** What a plan will change, for people and programs. */
export type Summary = { readonly [key: string]: Json };

/** Immutable. Leaves no choice to the executor. */
export interface Plan<K extends Kinds = Kinds, S extends Summary = Summary> {
  readonly basis: readonly Basis[];
  /** Undone in reverse if anything fails before the commit. */
  readonly prepare: readonly PlannedStep<K>[];
  /** Forward only, after the commit. */
  readonly settle: readonly PlannedStep<K>[];
  readonly summary: S;
  /** False: there is nothing to do, and there are no steps. */
  readonly changes: boolean;
  readonly warnings: readonly string[];
}

export interface StepContext<Ports> {
  readonly ports: Ports;
  readonly operation: string;
  readonly signal: AbortSignal;
  /** Outputs of finished steps by step id. Throws on a step that is not in `needs` (transitively); a settle step may read every prepare step. */
  output(step: string): Json;
  /** Calls a machine under the operation's fence. */
  readonly call: Machines["call"];
  /** Live only, not journaled: bytes, rate, the thing waited for. */
  progress(note: string, numbers?: { readonly done?: number; readonly total?: number }): void;
}

/** How one kind of step runs. Every function here is safe to call twice. */
export interface StepDef<Ports, Args extends Json, Out extends Json> {
  /** Deadline in ms of the whole step with its retries, by its arguments. */
  timeoutMs(args: Args): number;
  /** Transient errors (`machine_unreachable`, `store_unavailable`, `deadline_exceeded` of the transport) are retried inside the deadline when true. */
  readonly retryTransient: boolean;
  apply(args: Args, context: StepContext<Ports>): Promise<Out>;
  /**
   * Whether the effect can be lost after the step is done, e.g. a process whose machine lost power: a resumed operation runs such steps
   * again before it commits.
   */
  fleeting?(args: Args): boolean;
  /** Absent when it leaves nothing behind. Must cope with an effect that never happened. */
  undo?(args: Args, context: Omit<StepContext<Ports>, "output">): Promise<void>;
}

/** The write that is an operation's one point of no return. */
export type CommitPoint =
  | { readonly kind: "namespace"; readonly commit: CommitEnvelope; readonly expected: number }
  | { readonly kind: "fact"; readonly key: string; readonly value: Json; readonly expected: number };

export interface PrimitivePorts {
  readonly store: Store;
  readonly machines: Machines;
}

/**
 * One primitive. Effects are idempotent by construction of the participants (every changing command names its object and may be
 * sent twice), so a resumed step is applied again.
 */
export interface Primitive<
  Ports extends PrimitivePorts,
  In extends Json,
  Facts,
  K extends Kinds,
  Result extends Json,
  S extends Summary = Summary,
> {
  readonly name: string;
  /** A journal of another version is shown, never resumed or undone. */
  readonly version: number;
  /** Checks shape and meaning at the edge; refusals have code `invalid_input` (exit 2) and name the field. */
  parse(
    input: unknown,
  ):
    | { readonly ok: true; readonly input: In }
    | { readonly ok: false; readonly refusals: readonly ErrorBody[] };
  /** The leases, taken in sorted order: `deploy.prod`, `machine.m2`. */
  scope(input: In): readonly string[];
  /** Reads only. */
  observe(input: In, ports: Ports, signal: AbortSignal): Promise<Facts>;
  /** Pure and deterministic in its arguments. Refusals: nothing is touched. */
  plan(input: In, facts: Facts, operation: string): Plan<K, S> | Refusals;
  readonly steps: { readonly [N in keyof K & string]: StepDef<Ports, K[N]["args"], K[N]["out"]> };
  /** Pure; exactly one. `at`/`by` are given. */
  commit(
    input: In,
    facts: Facts,
    plan: Plan<K, S>,
    context: {
      readonly operation: string;
      readonly at: string;
      readonly by: string;
      /** Of a prepare step: all are done. */
      output(step: string): Json;
    },
  ): CommitPoint;
  result(
    input: In,
    plan: Plan<K, S>,
    context: {
      readonly revision: number;
      /** `undefined` for a step that is still owed. */
      output(step: string): Json | undefined;
      /** When a finished step began and ended, in ms since the epoch; `undefined` for a resumed operation. */
      took(step: string): { readonly from: number; readonly to: number } | undefined;
    },
  ): Result;
}
