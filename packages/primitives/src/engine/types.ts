import type { ErrorBody } from "@ployz/errors";
import type { Commit } from "../model/commit.ts";
import type { FactKey, FactName, FactTypes } from "../model/facts.ts";
import type { Json } from "../model/json.ts";
import type { Kinds, Plan, Summary } from "../model/plan.ts";
import type { Machines } from "../ports/machines.ts";
import type { Store } from "../ports/store.ts";

export type { Refusal } from "../error-codes.ts";
export type { Basis, Kinds, Plan, PlannedStep, Summary } from "../model/plan.ts";

/** Instead of a plan: every reason not to start, at least one. */
export interface Refusals {
  readonly refusals: readonly ErrorBody[];
}

/**
 * Reads the output of a finished step, typed by the kinds that the step may have; without any, by all kinds of the primitive.
 * Throws (a bug) on a step of another kind.
 */
export type ReadOutput<K extends Kinds, Missing = never> = <N extends keyof K & string = keyof K & string>(
  step: string,
  ...kinds: readonly N[]
) => K[N]["out"] | Missing;

/** What a step may use. */
export interface StepContext<Ports, K extends Kinds = Kinds> {
  readonly ports: Ports;
  readonly operation: string;
  readonly signal: AbortSignal;
  /** Outputs of finished steps by step id. Throws on a step that is not in `needs` (transitively); a settle step may read every prepare step. */
  readonly output: ReadOutput<K>;
  /** Of the plan. */
  readonly summary: Summary;
  /** Calls a machine under the operation's fence. */
  readonly call: Machines["call"];
  /** Live only, not journaled: bytes, rate, the thing waited for. */
  progress(note: string, numbers?: { readonly done?: number; readonly total?: number }): void;
}

/** How one kind of step runs. Every function here is safe to call twice. */
export interface StepDef<Ports, Args extends Json, Out extends Json, K extends Kinds = Kinds> {
  /** Deadline in ms of the whole step with its retries, by its arguments. */
  timeoutMs(args: Args): number;
  /** Transient errors (`machine_unreachable`, `store_unavailable`, `deadline_exceeded` of the transport) are retried inside the deadline when true. */
  readonly retryTransient: boolean;
  /** Does it; safe to call twice. Resolves with the output, which is journaled. */
  apply(args: Args, context: StepContext<Ports, K>): Promise<Out>;
  /**
   * Whether the effect can be lost after the step is done, e.g. a process whose machine lost power: a resumed operation runs such steps
   * again before it commits.
   */
  fleeting?(args: Args): boolean;
  /**
   * Changes nothing, and only waits for what comes by itself: it has no entry in the journal before it is done, and any number of such steps
   * run at once. Has no `undo`.
   */
  readonly waits?: true;
  /** Absent when it leaves nothing behind. Must cope with an effect that never happened. */
  undo?(args: Args, context: Omit<StepContext<Ports>, "output">): Promise<void>;
}

/** The write that is an operation's one point of no return. */
export type CommitPoint =
  | {
      readonly kind: "namespace";
      readonly commit: Commit;
      readonly expected: number;
      /**
       * Of a commit that takes what no other namespace may have. Called with every namespace's last commit, while no other guarded commit is written;
       * a refusal undoes the operation. Pure.
       */
      readonly guard?: (heads: readonly Commit[]) => ErrorBody | undefined;
    }
  | FactPoint;

type FactPoint = {
  [P in FactName]: {
    readonly kind: "fact";
    readonly key: FactKey<P>;
    readonly value: FactTypes[P];
    readonly expected: number;
  };
}[FactName];

/** The ports that every primitive has. */
export interface PrimitivePorts {
  readonly store: Store;
  readonly machines: Machines;
}

/**
 * One primitive. `In` is the input as parsed, `Sent` as a caller gives it. Effects are idempotent by construction of the participants (every changing command names its object and may be
 * sent twice), so a resumed step is applied again.
 */
export interface Primitive<
  Ports extends PrimitivePorts,
  In extends Json,
  Facts,
  K extends Kinds,
  Result extends Json,
  S extends Summary = Summary,
  Sent = In,
> {
  readonly name: string;
  /** A journal of another version is shown, never resumed or undone. */
  readonly version: number;
  /** Checks shape and meaning at the edge, whatever the caller claims; refusals have code `invalid_input` (exit 2) and name the field. */
  parse(
    input: Sent,
  ):
    | { readonly ok: true; readonly input: In }
    | { readonly ok: false; readonly refusals: readonly ErrorBody[] };
  /** The leases, taken in sorted order: `deploy.prod`, `machine.m2`. */
  scope(input: In): readonly string[];
  /** Reads only. */
  observe(input: In, ports: Ports, signal: AbortSignal): Promise<Facts>;
  /** Pure and deterministic in its arguments. Refusals: nothing is touched. */
  plan(input: In, facts: Facts, operation: string): Plan<K, S> | Refusals;
  readonly steps: { readonly [N in keyof K & string]: StepDef<Ports, K[N]["args"], K[N]["out"], K> };
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
      readonly output: ReadOutput<K>;
    },
  ): CommitPoint;
  /** Pure: what the operation reports, after the commit. */
  result(
    input: In,
    plan: Plan<K, S>,
    context: {
      readonly revision: number;
      /** `undefined` for a step that is still owed. */
      readonly output: ReadOutput<K, undefined>;
      /** When a finished step began and ended, in ms since the epoch; `undefined` for a resumed operation. */
      took(step: string): { readonly from: number; readonly to: number } | undefined;
    },
  ): Result;
}
